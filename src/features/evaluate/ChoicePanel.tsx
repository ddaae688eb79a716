import { useMemo } from 'react';
import { defaultConvertedSteps } from '../../base/conversionOptions';
import { datasetParts } from '../../base/datasetOptions';
import { activity, chooseEvaluation, continueEvaluation, offeredNetworks, startEvaluation, stopEvaluation, switchNetwork } from '../../commands/evaluate';
import { usePlayground } from '../../state/store';
import { Button, Panel, SelectField, SwitchField, ToggleGroupField } from '../../ui/controls';

const steps = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16].map((count) => ({ id: String(count), label: String(count) }));
const convertedSteps = [32, 64, 128, 256, 512, 1024].map((count) => ({ id: String(count), label: String(count) }));
const sizes = ['own', '128', '160', '192', '224', '256', '320', '416', '512', '640'] as const;
const limits = ['all', '20', '100', '500', '2000'] as const;

/** What is to be measured, and the buttons that start and stop it. */
export function ChoicePanel() {
  const models = usePlayground((state) => state.models);
  const evaluate = usePlayground((state) => state.evaluate);
  const networks = useMemo(() => offeredNetworks({ models, evaluate }), [models, evaluate]);
  const { dataset, choice, evaluation } = evaluate;
  const isSpiking = networks.some(({ isOn, network }) => isOn && network.slot === 'snn');
  const isConverted = networks.some(({ isOn, network }) => isOn && network.slot === 'converted');
  const numbers = (ids: ReadonlySet<string>): number[] => [...ids].map(Number).sort((a, b) => a - b);
  return (
    <Panel title="Networks and time steps">
      <div className="evaluate-fields">
        <fieldset className="evaluate-networks">
          <legend className="field-label">Networks</legend>
          {networks.map(({ id, title, isOn }) => (
            <SwitchField key={id} label={title} isOn={isOn} onChange={(on) => switchNetwork(id, on)} />
          ))}
          {networks.length === 0 && <p>Loading the model…</p>}
        </fieldset>
        {isSpiking && (
          <ToggleGroupField
            label="Time steps T of the SNN (none: what each was trained with)"
            choices={steps}
            chosen={new Set(choice.steps.map(String))}
            onChange={(ids) => chooseEvaluation({ steps: numbers(ids) })}
          />
        )}
        {isConverted && (
          <ToggleGroupField
            label={`Time steps of the converted SNN (none: ${defaultConvertedSteps})`}
            choices={convertedSteps}
            chosen={new Set(choice.convertedSteps.map(String))}
            onChange={(ids) => chooseEvaluation({ convertedSteps: numbers(ids) })}
          />
        )}
        <div className="evaluate-row">
          <SelectField
            label="Samples"
            choices={limits.map((id) => ({ id, label: id === 'all' ? 'All' : `The first ${id}` }))}
            value={limits.find((id) => id === String(choice.limit)) ?? 'all'}
            onChange={(id) => chooseEvaluation({ limit: id === 'all' ? undefined : Number(id) })}
          />
          <SelectField
            label="Input size"
            choices={sizes.map((id) => ({ id, label: id === 'own' ? 'The network’s own' : `${id} px` }))}
            value={sizes.find((id) => id === String(choice.inputSize)) ?? 'own'}
            onChange={(id) => chooseEvaluation({ inputSize: id === 'own' ? undefined : Number(id) })}
          />
          {dataset && Object.keys(dataset.summary.partSizes).length > 0 && (
            <SelectField
              label="Part of the set"
              choices={[
                { id: 'all', label: 'All' },
                ...datasetParts.flatMap((id) => {
                  const size = dataset.summary.partSizes[id];
                  return size === undefined ? [] : [{ id, label: `${id} (${size})` }];
                }),
              ]}
              value={choice.part ?? 'all'}
              onChange={(id) => chooseEvaluation({ part: id === 'all' ? undefined : id })}
            />
          )}
        </div>
        <div className="evaluate-buttons">
          {evaluation?.isRunning ? (
            <Button onPress={stopEvaluation}>Stop</Button>
          ) : (
            <Button look="primary" isDisabled={!dataset} onPress={() => void startEvaluation()}>
              Evaluate
            </Button>
          )}
          {evaluation && !evaluation.isRunning && evaluation.request.dataset === dataset?.summary.id && evaluation.state?.finished !== true && (
            <Button onPress={() => void continueEvaluation()}>Go on</Button>
          )}
        </div>
        <Progress />
      </div>
    </Panel>
  );
}

/** How far it is; the bar stands in the panel, too, since the page is about it. */
function Progress() {
  const evaluation = usePlayground((state) => state.evaluate.evaluation);
  const progress = usePlayground((state) => state.activities[activity]?.progress);
  if (!evaluation) return null;
  const isCounting = evaluation.isRunning && progress?.label === 'Evaluating' && progress.total !== undefined;
  const done = isCounting ? progress.done : (evaluation.state?.done ?? 0);
  const total = isCounting ? progress.total : evaluation.state?.total;
  const words = evaluation.isRunning ? (isCounting || !progress ? 'Evaluated' : `${progress.label}; evaluated`) : evaluation.state?.finished ? 'Finished:' : 'Stopped after';
  return (
    <div className="evaluate-progress">
      <progress value={done} max={total ?? 1} aria-label="Samples evaluated" />
      <p role="status" data-testid="evaluation-progress">
        {words} {done} of {total ?? '…'} samples
      </p>
    </div>
  );
}
