import { useMemo } from 'react';
import { BoxOverlay } from '../../charts/BoxOverlay';
import type { OverlayBox } from '../../charts/boxText';
import { LineChart } from '../../charts/LineChart';
import { RateHistory } from '../../charts/RateHistory';
import { usePlayground } from '../../state/store';
import type { RunSamples, RunState } from '../../state/training';
import { Panel } from '../../ui/controls';
import { countOf } from './words';

/** A mean over so many steps is drawn over the steps themselves. */
const smoothing = 12;

/** Loss, precision, learning rate and gradient, as the run goes. */
export function CurvesPanel() {
  const run = usePlayground((state) => state.training.run);
  const theme = usePlayground((state) => state.view.shownTheme);
  return (
    <Panel title="Curves" aside="Pale: single steps; strong: their running mean">
      {run && <Curves run={run} theme={theme} />}
    </Panel>
  );
}

function Curves({ run: { steps, epochs, shape }, theme }: { run: RunState; theme: 'light' | 'dark' }) {
  const places = useMemo(() => steps.map(({ step }) => step), [steps]);
  const loss = useMemo(
    () => [
      { name: 'box', values: steps.map(({ box }) => box) },
      { name: 'objectness', values: steps.map(({ objectness }) => objectness) },
      ...(shape.classNames.length > 1 ? [{ name: 'class', values: steps.map((step) => step.class) }] : []),
    ],
    [steps, shape.classNames.length],
  );
  const rate = useMemo(() => [{ name: 'learning rate', values: steps.map(({ learningRate }) => learningRate) }], [steps]);
  const norm = useMemo(() => [{ name: 'gradient norm', values: steps.map(({ gradientNorm }) => gradientNorm) }], [steps]);
  const epochPlaces = useMemo(() => epochs.map(({ epoch }) => epoch), [epochs]);
  const precision = useMemo(
    () => [
      { name: 'mAP50', values: epochs.map(({ map50 }) => map50) },
      { name: 'mAP50-95', values: epochs.map(({ map }) => map) },
      { name: 'mAP50 by COCO’s rule', values: epochs.map(({ cocoMap50 }) => cocoMap50) },
    ],
    [epochs],
  );
  return (
    <>
      <div className="train-curves">
        <LineChart title="Loss terms" placeName="step" places={places} lastPlace={shape.steps} series={loss} smoothing={smoothing} theme={theme} />
        <LineChart title="Mean average precision on what is kept aside" placeName="epoch" places={epochPlaces} lastPlace={shape.steps / shape.stepsPerEpoch} series={precision} atLeast={1} theme={theme} />
        <LineChart title="Learning rate" placeName="step" places={places} lastPlace={shape.steps} series={rate} theme={theme} />
        <LineChart title="Norm of the gradient" placeName="step" places={places} lastPlace={shape.steps} series={norm} smoothing={smoothing} theme={theme} />
      </div>
      <p className="train-note">Box and class fall as the network learns. Objectness may rise meanwhile: it aims at the boxes’ overlap, which grows.</p>
    </>
  );
}

export function FiringRatesPanel() {
  const run = usePlayground((state) => state.training.run);
  const theme = usePlayground((state) => state.view.shownTheme);
  const rates = useMemo(() => run?.steps.map(({ firingRates }) => firingRates) ?? [], [run?.steps]);
  if (!run || run.config.mode === 'ann') return null;
  return (
    <Panel title="Firing rate of each layer over the run">
      <RateHistory layers={run.shape.layers} rates={rates} firstStep={run.steps[0]?.step ?? 1} theme={theme} />
    </Panel>
  );
}

/** What the network finds on a few pictures that it does not train on. */
export function SamplesPanel() {
  const run = usePlayground((state) => state.training.run);
  const theme = usePlayground((state) => state.view.shownTheme);
  const samples = run?.samples;
  if (!run) return null;
  return (
    <Panel title="Predictions beside the truth" aside={samples ? `After epoch ${samples.epoch}; confidence from 0.1, IoU 0.45` : 'After the first epoch'}>
      {samples ? (
        <div className="train-samples">
          {samples.pictures.map((sample, index) => (
            <Sample key={index} number={index + 1} sample={sample} classNames={run.shape.classNames} theme={theme} />
          ))}
        </div>
      ) : (
        <p className="train-note">At the end of each epoch the network is shown pictures that were kept aside.</p>
      )}
    </Panel>
  );
}

function Sample({ number, sample, classNames, theme }: { number: number; sample: RunSamples['pictures'][number]; classNames: readonly string[]; theme: 'light' | 'dark' }) {
  const { bitmap, size, truth, found } = sample;
  const named = (boxes: readonly { box: OverlayBox['box']; class: number; score?: number }[]): OverlayBox[] =>
    boxes.map(({ box, class: label, score }) => ({ box, class: label, score, name: classNames[label] ?? `class ${label}` }));
  return (
    <figure className="train-sample">
      <div className="train-sample-pair">
        <div className="train-sample-picture">
          <BoxOverlay image={bitmap} width={size} height={size} detections={named(found)} title={`Sample ${number}, found`} theme={theme} />
        </div>
        <div className="train-sample-picture">
          <BoxOverlay image={bitmap} width={size} height={size} detections={named(truth)} title={`Sample ${number}, truth`} theme={theme} />
        </div>
      </div>
      <figcaption>
        <span>{countOf(found.length, 'box', 'boxes')} found</span>
        <span>{countOf(truth.length, 'box', 'boxes')} in truth</span>
      </figcaption>
    </figure>
  );
}
