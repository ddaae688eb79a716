import { useMemo, useRef, useState } from 'react';
import { stepsNeeded } from '../../base/agreement';
import { largestBurst } from '../../base/conversionOptions';
import type { TruthLike } from '../../base/matchBoxes';
import { ConvergenceChart } from '../../charts/ConvergenceChart';
import type { ConvergenceSeries } from '../../charts/convergence';
import { setCalibration, setConversion, setConvertedSteps, switchConverted } from '../../commands/converted';
import { annBoxes, convertedPoints, trainedPoints } from '../../commands/convergence';
import { saveConvergence } from '../../commands/exports';
import { knownLabels } from '../../commands/labels';
import { usePlayground } from '../../state/store';
import { Button, Panel, SelectField, SwitchField } from '../../ui/controls';
import './compare.css';

/** Few steps of a trained network against the hundreds of a converted one: how boxes, spikes and energy come along with T. */
export function ComparePanel() {
  const isOn = usePlayground((state) => state.converted.isOn);
  const steps = usePlayground((state) => state.converted.steps);
  const hasTwin = usePlayground((state) => state.models.ann !== undefined);
  const theme = usePlayground((state) => state.view.shownTheme);
  const annPj = usePlayground((state) => state.energy.estimates.snn?.chosen.annPj);
  const convention = usePlayground((state) => state.energy.estimates.snn?.chosen.convention);
  const [wanted, setWanted] = useState<'ann' | 'labels'>('ann');
  const { ann, labels } = useReferences();
  const reference = wanted === 'labels' && labels ? labels : ann;
  const series = useSeries(reference);
  const needed = series.map(({ name, points }) => ({ name, steps: stepsNeeded(points.map((point) => ({ steps: point.steps, agreement: point.agreement ?? 0 }))) }));
  const largest = Math.max(16, ...series.flatMap(({ points }) => points.map((point) => point.steps)), isOn ? steps : 0);
  return (
    <Panel
      title="Trained against converted"
      aside={
        labels ? (
          <SelectField
            label="Compared with"
            hideLabel
            choices={[
              { id: 'ann', label: 'compared with the ANN’s boxes' },
              { id: 'labels', label: 'compared with the labels' },
            ]}
            value={wanted}
            onChange={setWanted}
          />
        ) : (
          'compared with the ANN’s boxes'
        )
      }
    >
      {hasTwin || isOn ? (
        <>
          <ConversionControls isOn={isOn} />
          {reference ? (
            <>
              <ConvergenceChart
                series={series}
                comparedWith={reference === labels ? 'the labels' : 'the ANN’s boxes'}
                annPj={annPj}
                maximumSteps={largest}
                steps={isOn ? steps : undefined}
                onSelectSteps={setConvertedSteps}
                theme={theme}
              />
              <p className="compare-needed" data-testid="steps-needed">
                {needed.map(({ name, steps: from }) => (
                  <span key={name}>
                    {name}: {from === undefined ? 'not all boxes agree yet' : `all boxes agree from T = ${from}`}.{' '}
                  </span>
                ))}
                Boxes agree when class and place match (IoU at least 0.5); agreement is twice the matches over all boxes of both.
                {convention !== undefined && ` Energy is an estimate for neuromorphic hardware: ${convention}.`}
              </p>
              <div className="compare-actions">
                <Button onPress={saveConvergence}>Save as CSV</Button>
              </div>
            </>
          ) : (
            <p className="panel-empty">The ANN has not run on this yet.</p>
          )}
        </>
      ) : (
        <p className="panel-empty">There is no ANN twin to compare with or to convert. Load one into the ANN pane.</p>
      )}
    </Panel>
  );
}

/** What boxes are compared with on what is shown now. */
function useReferences(): { ann: readonly TruthLike[] | undefined; labels: readonly TruthLike[] | undefined } {
  const ann = usePlayground(annBoxes);
  const source = usePlayground((state) => state.source);
  const recording = usePlayground((state) => state.recording);
  const labels = useMemo(() => {
    const known = knownLabels({ recording, source });
    return known.length > 0 ? known : undefined;
  }, [recording, source]);
  return { ann, labels };
}

function useSeries(reference: readonly TruthLike[] | undefined): ConvergenceSeries[] {
  const source = usePlayground((state) => state.source);
  const results = usePlayground((state) => state.results);
  const converted = usePlayground((state) => state.converted);
  const energy = usePlayground((state) => state.energy);
  return useMemo(() => {
    const shown = { source, results, converted, energy };
    const series: ConvergenceSeries[] = [
      { network: 'snn', name: 'SNN, trained', points: trainedPoints(shown, reference) },
      { network: 'converted', name: 'SNN, converted', points: convertedPoints(shown, reference) },
    ];
    return series.filter(({ points }) => points.length > 0);
  }, [source, results, converted, energy, reference]);
}

const percentiles = [90, 99, 99.9, 99.99, 100] as const;
const bursts = [1, 2, 5, largestBurst] as const;

function ConversionControls({ isOn }: { isOn: boolean }) {
  const { options, calibration, files } = usePlayground((state) => state.converted);
  const hasRecording = usePlayground((state) => state.recording !== undefined);
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="compare-controls">
      <SwitchField
        label="Converted SNN"
        description="Makes a spiking network of the ANN twin, without training, and runs it a few steps at a time"
        isOn={isOn}
        onChange={switchConverted}
      />
      {isOn && (
        <>
          <SelectField
            label="Thresholds"
            choices={[
              { id: 'channel', label: 'one for each channel', description: 'Spiking-YOLO (Kim et al. 2020)' },
              { id: 'layer', label: 'one for each layer', description: 'Rueckauer et al. 2017' },
            ]}
            value={options.normalisation}
            onChange={(normalisation) => setConversion({ normalisation })}
          />
          <SelectField
            label="Percentile of activations"
            choices={percentiles.map((percentile) => ({ id: String(percentile), label: percentile === 100 ? 'the largest' : `${percentile} %` }))}
            value={String(options.percentile)}
            onChange={(percentile) => setConversion({ percentile: Number(percentile) })}
          />
          <SelectField
            label="Spikes in a step"
            choices={bursts.map((spikes) => ({ id: String(spikes), label: spikes === 1 ? 'one' : `bursts of up to ${spikes}` }))}
            value={String(options.maximumSpikes)}
            onChange={(spikes) => setConversion({ maximumSpikes: Number(spikes) })}
          />
          <SelectField
            label="Measured on"
            choices={[
              ...(hasRecording ? [] : [{ id: 'gallery' as const, label: 'the gallery’s smears' }]),
              { id: 'shown', label: 'what is shown now' },
              ...(hasRecording ? [] : [{ id: 'files' as const, label: files.length > 0 ? `${files.length} pictures of yours` : 'pictures of yours…' }]),
            ]}
            value={hasRecording ? 'shown' : calibration}
            onChange={(choice) => (choice === 'files' ? input.current?.click() : setCalibration(choice))}
          />
          {calibration === 'files' && !hasRecording && <Button onPress={() => input.current?.click()}>Other pictures…</Button>}
          <input
            ref={input}
            type="file"
            multiple
            accept="image/*"
            className="visually-hidden"
            tabIndex={-1}
            aria-label="Pictures to measure activations on"
            onChange={(event) => {
              const chosen = [...(event.target.files ?? [])];
              event.target.value = '';
              if (chosen.length > 0) setCalibration('files', chosen);
            }}
          />
        </>
      )}
    </div>
  );
}
