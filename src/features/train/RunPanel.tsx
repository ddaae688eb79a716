import { ProgressBar } from 'react-aria-components';
import { formatCount, formatShort } from '../../charts/format';
import { beginRun, discardRun, pauseRun, resumeRun } from '../../commands/training';
import { usePlayground } from '../../state/store';
import type { RunState } from '../../state/training';
import { Button, Panel } from '../../ui/controls';
import { countOf, formatDuration } from './words';

/** The run: where it is, and its start, pause and end. */
export function RunPanel() {
  const { run, progress, data, dataset, config, configProblem, hasUnreadableRun } = usePlayground((state) => state.training);
  const hasLabels = usePlayground((state) => state.labelling.pictures.some(({ boxes }) => boxes.length > 0));
  const isBusy = progress !== undefined;
  const isTraining = isBusy && (run?.status === 'running' || run?.status === 'pausing');
  const hasData = data === 'digits' || (data === 'dataset' ? dataset !== undefined : hasLabels);
  const canBegin = !isBusy && hasData && config !== undefined && configProblem === undefined;
  const isPaused = run?.status === 'paused';
  return (
    <Panel title="Run" aside={run?.backend && <span title={run.backend.reason}>{run.backend.label}</span>}>
      <div className="train-fields">
        <p role="status" data-testid="run-status">
          {statusText(run, isBusy && !isTraining, hasData)}
        </p>
        {isBusy && <Progress isTraining={isTraining} run={run} />}
        <div className="train-row">
          {isBusy ? (
            <Button look="primary" isDisabled={run?.status === 'pausing'} onPress={pauseRun}>
              {isTraining ? 'Pause' : 'Cancel'}
            </Button>
          ) : (
            <>
              {isPaused && (
                <Button look="primary" onPress={() => void resumeRun()}>
                  Resume
                </Button>
              )}
              <Button look={isPaused ? 'plain' : 'primary'} isDisabled={!canBegin} onPress={() => void beginRun()}>
                {isPaused ? 'Start a new run in its place' : 'Start'}
              </Button>
              {(isPaused || hasUnreadableRun) && (
                <Button look="quiet" onPress={() => void discardRun()}>
                  Discard the run
                </Button>
              )}
            </>
          )}
        </div>
        {run && <Facts run={run} />}
      </div>
    </Panel>
  );
}

function statusText(run: RunState | undefined, isPreparing: boolean, hasData: boolean): string {
  if (isPreparing) return 'Getting ready…';
  if (!run) return hasData ? 'Ready to start. The run is kept on this machine as it goes: close the page whenever you want, and resume it later.' : 'Choose what to train on.';
  const step = run.steps.at(-1)?.step ?? 0;
  const where = `step ${formatCount(step)} of ${formatCount(run.shape.steps)}`;
  switch (run.status) {
    case 'running':
      return `Training: ${where}.`;
    case 'pausing':
      return 'Pausing after this step…';
    case 'paused':
      return `Paused at ${where}. It is kept on this machine.`;
    case 'ended':
      return run.model ? `Ended. The model ${run.model.name} is in the list of models.` : 'Ended.';
  }
}

function Progress({ isTraining, run }: { isTraining: boolean; run: RunState | undefined }) {
  const progress = usePlayground((state) => state.training.progress);
  if (!progress) return null;
  const share = progress.total ? (progress.done / progress.total) * 100 : undefined;
  const left = isTraining && run && progress.label.startsWith('Training') ? secondsLeft(run) : undefined;
  return (
    <ProgressBar className="activity-progress" aria-label={progress.label} value={share ?? 0} isIndeterminate={share === undefined}>
      <span className="activity-label">
        {progress.label}
        {left === undefined ? '' : `, about ${formatDuration(left)} left`}
      </span>
      <span className="activity-track">
        <span className="activity-fill" data-indeterminate={share === undefined || undefined} style={{ width: `${share ?? 30}%` }} />
      </span>
    </ProgressBar>
  );
}

/** From the speed of the last steps; evaluations are not counted. */
function secondsLeft({ steps, shape, config }: RunState): number | undefined {
  const recent = steps.slice(-10);
  const last = recent.at(-1);
  if (!last) return undefined;
  const seconds = recent.reduce((sum, { picturesPerSecond }) => sum + (config.batch * config.accumulate) / picturesPerSecond, 0) / recent.length;
  return (shape.steps - last.step) * seconds;
}

function Facts({ run: { title, config, shape, steps, epochs, leftOut } }: { run: RunState }) {
  const best = epochs.reduce<number | undefined>((most, { map50 }) => (map50 === null ? most : Math.max(most ?? 0, map50)), undefined);
  const last = epochs.at(-1);
  const rate = steps.at(-1)?.picturesPerSecond;
  return (
    <>
      <p className="train-note">
        {config.mode.toUpperCase()} of {countOf(shape.parameters, 'parameter')} on {title}: {countOf(shape.training, 'picture')} an epoch, {formatCount(shape.validation)} kept aside;{' '}
        {countOf(shape.classNames.length, 'class', 'classes')}.{rate !== undefined && ` ${rate.toFixed(rate < 10 ? 1 : 0)} pictures a second.`}
        {last && ` mAP50 ${last.map50 === null ? '–' : formatShort(last.map50)} after epoch ${last.epoch}${best === undefined ? '' : `, at best ${formatShort(best)}`} (released code’s rule, on what was kept aside).`}
      </p>
      {leftOut.length > 0 && (
        <details className="train-note">
          <summary>{countOf(leftOut.length, 'file was', 'files were')} left out</summary>
          <ul>
            {leftOut.map(({ title: file, reason }) => (
              <li key={file}>
                {file}: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
