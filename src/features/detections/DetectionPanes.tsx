import { useMemo, useRef } from 'react';
import type { Box, Detection } from '../../base/geometry';
import { matchBoxes } from '../../base/matchBoxes';
import { placeOfCell } from '../../base/receptivePlace';
import { BoxOverlay } from '../../charts/BoxOverlay';
import type { OverlayBox } from '../../charts/boxText';
import { EventPicture } from '../../charts/EventPicture';
import { formatEnergy } from '../../charts/format';
import { convertedSteps, resumeConverted, setConvertedSteps } from '../../commands/converted';
import { truthInWindow } from '../../commands/recordings';
import { openFiles } from '../../commands/files';
import { setView, usePlayground, type EventsSource, type PaneResult, type Slot } from '../../state/store';
import { Button, Panel, SliderField } from '../../ui/controls';
import './detections.css';

/** The same frame through both networks: same preprocessing, same thresholds, same colour per class. */
export function DetectionPanes() {
  const isConverted = usePlayground((state) => state.converted.isOn);
  return (
    <div className="panes" data-panes={isConverted ? 3 : 2}>
      <Pane slot="snn" />
      <Pane slot="ann" />
      {isConverted && <Pane slot="converted" />}
    </div>
  );
}

const noDetections: readonly Detection[] = [];

function Pane({ slot }: { slot: Slot }) {
  const source = usePlayground((state) => state.source);
  const pane = usePlayground((state) => state.results[slot]);
  const model = usePlayground((state) => state.models[slot]);
  const theme = usePlayground((state) => state.view.shownTheme);
  const step = usePlayground((state) => state.view.step);
  const hovered = usePlayground((state) => state.view.hoveredBox);
  const marker = usePlaceUnderPointer();
  // Boxes of another picture are never drawn on this one.
  const current = source && pane?.sourceId === source.id ? pane : undefined;
  const detections = current ? boxesAt(current, slot === 'snn' ? step : 0) : noDetections;
  const compared = useBoxesWithTruth(detections, current !== undefined);
  const steps = pane?.result.steps ?? '…';
  const title = { snn: `SNN (T = ${steps})`, ann: 'ANN baseline (one pass)', converted: `Converted SNN (T = ${steps})` }[slot];
  const name = { snn: `SNN, step ${step + 1}`, ann: 'ANN', converted: `Converted SNN, T = ${steps}` }[slot];
  return (
    <Panel title={title} className="pane">
      {slot === 'converted' && <ConvertedSteps />}
      <Caption pane={current} count={detections.length} slot={slot} />
      <div className="pane-picture" data-testid={`pane-${slot}`} data-drop-slot={slot}>
        {source?.kind === 'events' && (
          <EventPicture
            title={name}
            sensor={source.size}
            pixels={source.view.pixels}
            theme={theme}
            boxes={compared}
            hovered={hovered?.slot === slot ? hovered.index : undefined}
            hotPixels={source.frame.withoutHotPixels ? undefined : hotPixels(source)}
            onHover={(index) => setView({ hoveredBox: index === undefined || index >= detections.length ? undefined : { slot, index } })}
            onHoverPixel={(pixel) => setView({ pixel })}
          />
        )}
        {source?.kind === 'picture' && (
          <BoxOverlay
            title={name}
            image={source.bitmap}
            width={source.size.width}
            height={source.size.height}
            detections={detections}
            theme={theme}
            hovered={hovered?.slot === slot ? hovered.index : undefined}
            marker={marker}
            onHover={(index) => setView({ hoveredBox: index === undefined ? undefined : { slot, index } })}
            onHoverPixel={(pixel) => setView({ pixel })}
          />
        )}
        {slot === 'ann' && !model && pane === undefined && <TwinWanted />}
      </div>
      <BoxTable boxes={compared} slot={slot} />
    </Panel>
  );
}

/** Where the recording has labels: which boxes found one, which are false, and which labels were missed. */
function useBoxesWithTruth(detections: readonly Detection[], hasRun: boolean): readonly OverlayBox[] {
  const recording = usePlayground((state) => state.recording);
  const classNames = usePlayground((state) => state.models.snn?.classNames);
  return useMemo(() => {
    const truth = recording ? truthInWindow(recording) : [];
    if (truth.length === 0) return detections;
    const asBox = ({ box, class: label, name }: (typeof truth)[number], kind: 'missed' | 'truth'): OverlayBox => ({
      box,
      class: label ?? 0,
      name: name ?? classNames?.[label ?? -1] ?? `class ${label ?? '?'}`,
      kind,
    });
    // Nothing has been missed before anything was looked for.
    if (!hasRun) return truth.map((label) => asBox(label, 'truth'));
    const { found, missed } = matchBoxes(detections, truth);
    return [
      ...detections.map((detection, index): OverlayBox => ({ ...detection, kind: found[index] ? 'matched' : 'false' })),
      ...missed.flatMap((index) => truth.slice(index, index + 1).map((label) => asBox(label, 'missed'))),
    ];
  }, [recording, classNames, detections, hasRun]);
}

/** Pixels with far more events than the window's mean active pixel. */
function hotPixels({ view: { statistics } }: EventsSource): readonly { x: number; y: number }[] {
  const mean = statistics.events / Math.max(statistics.activePixels, 1);
  return statistics.hottest.filter(({ events }) => events >= 10 && events >= 10 * mean);
}

/** The place on the picture that the hovered cell of the layer's maps stands for. */
function usePlaceUnderPointer(): Box | undefined {
  const cell = usePlayground((state) => state.view.hoveredCell);
  const result = usePlayground((state) => state.results.snn?.result);
  const layer = usePlayground((state) => state.view.layer);
  const map = result?.layers[layer];
  return cell && result && map ? placeOfCell(cell, map, result.input, result.picture) : undefined;
}

function boxesAt({ result }: PaneResult, step: number): readonly Detection[] {
  return result.detectionsPerStep[Math.min(step, result.detectionsPerStep.length - 1)] ?? noDetections;
}

/** Every number with its convention: the backend, what a time includes, how energy was counted. */
function Caption({ pane, count, slot }: { pane: PaneResult | undefined; count: number; slot: Slot }) {
  if (!pane) return <span className="pane-caption">not run yet</span>;
  const { timing, backend, energy } = pane.result;
  const picojoules = slot === 'ann' ? energy.annPj : energy.snnPj;
  return (
    <span className="pane-caption">
      <span title={`Network on ${backend.label}, reading back included; preprocessing ${timing.preprocessMs.toFixed(0)} ms more`}>
        {timing.inferenceMs.toFixed(0)} ms
      </span>
      {' · '}
      <span>{count} boxes</span>
      {picojoules !== null && (
        <>
          {' · '}
          <span title={`Estimate for neuromorphic hardware, not this device. ${energy.convention}.`}>{formatEnergy(picojoules)} est.</span>
        </>
      )}
      {pane.precomputed && <span className="pane-precomputed"> · precomputed</span>}
    </span>
  );
}

/** How far the converted network is to run; the positions double, four to each doubling. */
function ConvertedSteps() {
  const { steps, points, running } = usePlayground((state) => state.converted);
  const done = points.at(-1)?.steps ?? 0;
  return (
    <div className="pane-steps">
      <SliderField
        label="Steps T"
        value={Math.max(convertedSteps.indexOf(steps), 0)}
        minimum={0}
        maximum={convertedSteps.length - 1}
        step={1}
        text={String(steps)}
        onChange={(position) => setConvertedSteps(convertedSteps[position] ?? steps)}
      />
      {!running && done < steps && (
        <Button look="quiet" onPress={resumeConverted}>
          {done === 0 ? 'Run it' : `Go on from ${done}`}
        </Button>
      )}
    </div>
  );
}

function TwinWanted() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="pane-empty">
      <p>No ANN twin is loaded. It is a checkpoint of the same rows, trained with ReLU in place of every neuron.</p>
      <Button onPress={() => input.current?.click()}>Open an ANN checkpoint…</Button>
      <input
        ref={input}
        type="file"
        className="visually-hidden"
        tabIndex={-1}
        aria-label="Open an ANN checkpoint"
        accept=".pt,.pth,.safetensors"
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          event.target.value = '';
          if (file) void openFiles([file], 'ann');
        }}
      />
    </div>
  );
}

function BoxTable({ boxes, slot }: { boxes: readonly OverlayBox[]; slot: Slot }) {
  const isCompared = boxes.some(({ kind }) => kind !== undefined);
  return (
    <details className="pane-table">
      <summary>Table of boxes</summary>
      <div className="table-scroll" tabIndex={0} role="region" aria-label={`Boxes of the ${{ snn: 'SNN', ann: 'ANN', converted: 'converted SNN' }[slot]}`}>
        <table data-testid={`boxes-${slot}`}>
          <thead>
            <tr>
              <th scope="col">class</th>
              <th scope="col">score</th>
              <th scope="col">x1</th>
              <th scope="col">y1</th>
              <th scope="col">x2</th>
              <th scope="col">y2</th>
              {isCompared && <th scope="col">label</th>}
            </tr>
          </thead>
          <tbody>
            {boxes.map(({ name, score, box, kind }, index) => (
              <tr key={index}>
                <th scope="row">{name}</th>
                <td>{score?.toFixed(4)}</td>
                {box.map((side, corner) => (
                  <td key={corner}>{side.toFixed(2)}</td>
                ))}
                {isCompared && <td>{kind}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
