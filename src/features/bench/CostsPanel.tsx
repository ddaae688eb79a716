import { CostChart, type CostPoint, type CostSeries } from '../../charts/CostChart';
import { formatRate, formatShort } from '../../charts/format';
import { LayerTimes } from '../../charts/LayerTimes';
import { chooseBench, measuredAt, ownBackends, setFactor, startCosts, stopBench } from '../../commands/bench';
import { trainedRun, usePlayground } from '../../state/store';
import type { BenchDetail, Spread } from '../../state/bench';
import { Button, Panel, SelectField, SliderField } from '../../ui/controls';
import { caseTitle, ownBackendTitle } from './words';

const megabytes = (bytes: number): string => `${formatShort(bytes / 1e6)} MB`;

/** What one engine's time depends on. */
export function CostsPanel() {
  const { choice, running, result, compared } = usePlayground((state) => state.bench);
  const hasSnn = usePlayground((state) => state.models.snn !== undefined);
  const [detail] = result?.details ?? [];
  const saved = compared?.file.details[0];
  return (
    <Panel title="What the time depends on" aside={detail ? `${ownBackendTitleOf(detail)}: ${caseTitle(detail)}` : undefined}>
      <div className="bench-row">
        <SelectField
          label="Engine to measure"
          choices={ownBackends.map((id) => ({ id, label: ownBackendTitle(id) }))}
          value={choice.backend}
          onChange={(backend) => chooseBench({ backend })}
        />
        {running === undefined ? (
          <Button isDisabled={!hasSnn} onPress={() => void startCosts()}>
            Measure firing rate, steps, size, memory
          </Button>
        ) : (
          <Button onPress={stopBench}>Stop measuring</Button>
        )}
      </div>
      {!detail && !saved && <p className="bench-note">Raising the threshold leaves fewer spikes; this measures what that saves, layer by layer, and how time grows with T and with the picture.</p>}
      {(detail ?? saved) && <Charts detail={detail} saved={saved} savedTitle={compared?.title ?? ''} />}
      {detail && <Layers detail={detail} />}
      {detail && <Memory detail={detail} />}
    </Panel>
  );
}

function ownBackendTitleOf({ backend }: BenchDetail): string {
  const known = ownBackends.find((name) => name === backend);
  return known ? ownBackendTitle(known) : backend;
}

function point(x: number, { medianMs, minMs, maxMs }: Spread): CostPoint {
  return { x, median: medianMs, least: minMs, most: maxMs };
}

function Charts({ detail, saved, savedTitle }: { detail: BenchDetail | undefined; saved: BenchDetail | undefined; savedTitle: string }) {
  const theme = usePlayground((state) => state.view.shownTheme);
  const bench = usePlayground((state) => state.bench);
  const both = (series: (costs: BenchDetail['costs']) => CostSeries[]): CostSeries[] => [
    ...(detail ? series(detail.costs) : []),
    ...(saved ? series(saved.costs).map((each) => ({ ...each, name: `${savedTitle}: ${each.name}` })) : []),
  ];
  const byRate = both(({ rates }) => [
    { name: 'the network', points: rates.map(({ firingRate, run }) => point(firingRate, run)) },
    ...(rates.some(({ spikingLayers }) => spikingLayers)
      ? [{ name: 'its spiking layers', points: rates.flatMap(({ firingRate, spikingLayers }) => (spikingLayers ? [point(firingRate, spikingLayers)] : [])) }]
      : []),
  ]);
  const bySteps = both(({ steps, stepsFit }) => [{ name: 'the network', points: steps.map(({ steps: x, run }) => point(x, run)), fit: stepsFit ?? undefined }]);
  const bySize = both(({ sizes, sizesFit }) => [{ name: 'the network', points: sizes.map(({ width, height, run }) => point((width * height) / 1e6, run)), fit: sizesFit ?? undefined }]);
  const chosen = detail?.costs.rates[measuredAt(bench, bench.factor) ?? -1];
  return (
    <div className="bench-charts">
      <div>
        <CostChart title="Time against firing rate" xName="firing rate" formatX={formatRate} series={byRate} marked={chosen?.firingRate} theme={theme} />
        {detail && <TenthNote detail={detail} />}
      </div>
      <div>
        <CostChart title="Time against steps T" xName="steps" formatX={String} series={bySteps} theme={theme} />
        <Fit fit={detail?.costs.stepsFit} unit="step" />
      </div>
      <div>
        <CostChart title="Time against the picture’s size" xName="million pixels" formatX={formatShort} series={bySize} theme={theme} />
        <Fit fit={detail?.costs.sizesFit} unit="million pixels" />
      </div>
    </div>
  );
}

function Fit({ fit, unit }: { fit: BenchDetail['costs']['stepsFit'] | undefined; unit: string }) {
  if (!fit) return null;
  const { intercept, slope, explained } = fit;
  return (
    <p className="bench-note">
      Line: {formatShort(intercept)} ms + {formatShort(slope)} ms a {unit}; it explains {formatRate(explained)} of the variance (R²).
    </p>
  );
}

/** What the spiking layers take where a tenth of the spikes is left. */
function TenthNote({ detail: { costs } }: { detail: BenchDetail }) {
  if (Number.isNaN(costs.spikingShareAtTenth)) return null;
  return <p className="bench-note">At a tenth of the spikes the spiking layers take {formatRate(costs.spikingShareAtTenth)} of their time.</p>;
}

function Layers({ detail }: { detail: BenchDetail }) {
  const theme = usePlayground((state) => state.view.shownTheme);
  const bench = usePlayground((state) => state.bench);
  const { factor, running } = bench;
  const { layers, rates } = detail.costs;
  const place = measuredAt(bench, factor);
  const trained = rates.findIndex(({ threshold }) => Math.abs(threshold - trainedRun.threshold) < 1e-6);
  const shown = rates[place ?? -1];
  const timeAt = (layer: (typeof layers)[number], index: number): { ms: number; rate: number | null } => {
    const at = layer.atThreshold[index];
    return { ms: at?.run.medianMs ?? NaN, rate: at?.firingRate ?? null };
  };
  return (
    <section aria-label="Layer by layer" className="bench-layers">
      <SliderField
        label="Threshold"
        value={factor}
        minimum={1}
        maximum={8}
        step={0.25}
        text={`${formatShort(factor)} × ${formatShort(trainedRun.threshold)} = ${formatShort(factor * trainedRun.threshold)}`}
        onChange={setFactor}
      />
      <p className="bench-note" role="status" data-testid="bench-threshold">
        {shown
          ? `Firing rate ${formatRate(shown.firingRate)}: the network takes ${formatShort(shown.run.medianMs)} ms${shown.spikingLayers ? `, its spiking layers ${formatShort(shown.spikingLayers.medianMs)} ms` : ''}.`
          : running
            ? 'Measuring at this threshold…'
            : 'Not measured at this threshold.'}
      </p>
      {layers.length === 0 && <p className="bench-note">This engine does not tell its layers apart here.</p>}
      {layers.length > 0 && shown && (
        <LayerTimes
          layers={layers.map((layer) => ({ name: layer.name, reads: layer.reads, operations: layer.operations, trained: timeAt(layer, trained), chosen: timeAt(layer, place ?? trained) }))}
          theme={theme}
        />
      )}
    </section>
  );
}

function Memory({ detail: { memory } }: { detail: BenchDetail }) {
  const { weightBytes, twoLargestLayersBytes, peakBytes, heapBytes } = memory;
  const need = weightBytes + twoLargestLayersBytes;
  return (
    <p className="bench-note" data-testid="bench-memory">
      {peakBytes === null ? 'This engine does not tell what memory a frame takes. A frame needs' : `Memory of a frame: ${megabytes(peakBytes)} at most, ${formatShort(peakBytes / need)} times`} the weights (
      {megabytes(weightBytes)}) and the two largest layers at all steps ({megabytes(twoLargestLayersBytes)}){heapBytes === null ? '' : `; the heap reaches to ${megabytes(heapBytes)}`}.
    </p>
  );
}
