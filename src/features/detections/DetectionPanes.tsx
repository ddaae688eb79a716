import { useMemo, useRef } from 'react';
import { agreement, stepsNeeded } from '../../base/agreement';
import type { Box, Detection } from '../../base/geometry';
import { matchBoxes } from '../../base/matchBoxes';
import { reachOf } from '../../base/reach';
import { placeOfCell, placeOfRange } from '../../base/receptivePlace';
import { tracedVeil } from '../../charts/attributionView';
import { BoxOverlay, type Veil } from '../../charts/BoxOverlay';
import type { OverlayBox } from '../../charts/boxText';
import { EventPicture } from '../../charts/EventPicture';
import { KindKeys } from '../../charts/KindKeys';
import { formatEnergy } from '../../charts/format';
import { convertedSteps, resumeConverted, setConvertedSteps } from '../../commands/converted';
import { chooseBox, chooseLabel, indexOfChosen } from '../../commands/explain';
import { knownLabels, labelName } from '../../commands/labels';
import { fitOf } from '../../commands/run';
import { openFiles } from '../../commands/files';
import { setView, usePlayground, type ChosenBox, type EventsSource, type PaneResult, type Slot } from '../../state/store';
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
  const place = usePlaceUnderPointer();
  const veil = useTracedVeil(slot);
  const chosen = usePlayground((state) => state.view.box);
  // Boxes of another picture are never drawn on this one.
  const current = source && pane?.sourceId === source.id ? pane : undefined;
  const detections = current ? boxesAt(current, slot === 'snn' ? step : 0) : noDetections;
  const compared = useBoxesWithTruth(detections, current !== undefined);
  const pointed = hovered?.slot === slot ? hovered.index : boxAround(detections, place?.centre);
  const marks = {
    hovered: pointed,
    selected: indexOfChosen(compared, isOf(chosen, slot) ? chosen : undefined),
    marker: place?.marker,
    field: place?.field,
    veil,
    onSelect: (index: number | undefined) => {
      const box = index === undefined ? undefined : compared[index];
      if (!box) chooseBox(undefined);
      else if (box.kind === 'missed' || box.kind === 'truth') chooseLabel(box);
      else chooseBox({ of: slot, class: box.class, box: box.box });
    },
  };
  const steps = pane?.result.steps ?? '…';
  const title = { snn: `SNN (T = ${steps})`, ann: model?.head === undefined ? 'ANN baseline (one pass)' : `${model.name} (${model.head})`, converted: `Converted SNN (T = ${steps})` }[slot];
  const name = { snn: `SNN, step ${step + 1}`, ann: 'ANN', converted: `Converted SNN, T = ${steps}` }[slot];
  return (
    <Panel title={title} className="pane">
      <Caption pane={current} count={detections.length} slot={slot} />
      <div className="pane-picture" data-testid={`pane-${slot}`} data-drop-slot={slot}>
        {source?.kind === 'events' && (
          <EventPicture
            title={name}
            sensor={source.size}
            pixels={source.view.pixels}
            theme={theme}
            boxes={compared}
            {...marks}
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
            detections={compared}
            theme={theme}
            {...marks}
            onHover={(index) => setView({ hoveredBox: index === undefined || index >= detections.length ? undefined : { slot, index } })}
            onHoverPixel={(pixel) => setView({ pixel })}
          />
        )}
        {slot === 'ann' && !model && pane === undefined && <TwinWanted />}
      </div>
      {source?.kind === 'picture' && <KindKeys theme={theme} boxes={compared} />}
      {slot === 'converted' && <ConvertedSteps />}
      <BoxTable boxes={compared} slot={slot} />
    </Panel>
  );
}

/** Where there are labels: which boxes found one, which are false, and which labels were missed. */
function useBoxesWithTruth(detections: readonly Detection[], hasRun: boolean): readonly OverlayBox[] {
  const recording = usePlayground((state) => state.recording);
  const source = usePlayground((state) => state.source);
  const areShown = usePlayground((state) => state.view.labels || state.recording !== undefined);
  const classNames = usePlayground((state) => state.models.snn?.classNames);
  return useMemo(() => {
    const truth = areShown ? knownLabels({ recording, source }) : [];
    if (truth.length === 0) return detections;
    const asBox = (label: (typeof truth)[number], kind: 'missed' | 'truth'): OverlayBox => ({ box: label.box, class: label.class ?? 0, name: labelName(label, classNames), kind });
    // Nothing has been missed before anything was looked for.
    if (!hasRun) return truth.map((label) => asBox(label, 'truth'));
    const { found, missed } = matchBoxes(detections, truth);
    return [
      ...detections.map((detection, index): OverlayBox => ({ ...detection, kind: found[index] ? 'matched' : 'false' })),
      ...missed.flatMap((index) => truth.slice(index, index + 1).map((label) => asBox(label, 'missed'))),
    ];
  }, [recording, source, areShown, classNames, detections, hasRun]);
}

/** Pixels with far more events than the window's mean active pixel. */
function hotPixels({ view: { statistics } }: EventsSource): readonly { x: number; y: number }[] {
  const mean = statistics.events / Math.max(statistics.activePixels, 1);
  return statistics.hottest.filter(({ events }) => events >= 10 && events >= 10 * mean);
}

/** The place on the picture that the hovered cell of the layer's maps stands for, and what it may have seen. */
function usePlaceUnderPointer(): { marker: Box; field: Box | undefined; centre: { x: number; y: number } } | undefined {
  const cell = usePlayground((state) => state.view.hoveredCell);
  const result = usePlayground((state) => state.results.snn?.result);
  const layer = usePlayground((state) => state.view.layer);
  const trace = usePlayground((state) => state.trace);
  const fit = usePlayground((state) => fitOf(state.source));
  return useMemo(() => {
    const map = result?.layers[layer];
    if (!cell || !result || !map) return undefined;
    const { input, picture } = result;
    const marker = placeOfCell(cell, map, input, picture, fit);
    const reach = trace?.layer.index === layer ? reachOf(trace.inputReach, cell, input) : undefined;
    return {
      marker,
      field: reach && placeOfRange(reach, input, input, picture, fit),
      centre: { x: (marker[0] + marker[2]) / 2, y: (marker[1] + marker[3]) / 2 },
    };
  }, [cell, result, layer, trace, fit]);
}

/** The smallest box around a place, so that a cell of the maps finds its box. */
function boxAround(boxes: readonly { box: Box }[], place: { x: number; y: number } | undefined): number | undefined {
  if (!place) return undefined;
  const areaOf = ([x1, y1, x2, y2]: Box): number => (x2 - x1) * (y2 - y1);
  let best: number | undefined;
  boxes.forEach(({ box }, index) => {
    const isIn = place.x >= box[0] && place.x < box[2] && place.y >= box[1] && place.y < box[3];
    if (isIn && (best === undefined || areaOf(box) < areaOf(boxes[best]?.box ?? box))) best = index;
  });
  return best;
}

function isOf(chosen: ChosenBox | undefined, slot: Slot): boolean {
  return chosen?.of === slot || chosen?.of === 'truth';
}

/** Pixels that did not lead to the traced neuron, veiled on the SNN's picture. */
function useTracedVeil(slot: Slot): Veil | undefined {
  const traced = usePlayground((state) => state.explain.traced);
  const source = usePlayground((state) => state.source);
  const picture = usePlayground((state) => state.results.snn?.result.picture);
  return useMemo(() => {
    if (slot !== 'snn' || !traced || !picture || traced.sourceId !== source?.id) return undefined;
    const { input } = traced.result;
    const everywhere = { left: 0, top: 0, right: input.width - 1, bottom: input.height - 1 };
    return { image: tracedVeil(input), box: placeOfRange(everywhere, input, input, picture, fitOf(source)) };
  }, [slot, traced, source, picture]);
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
      <span>{count === 1 ? '1 box' : `${count} boxes`}</span>
      {picojoules !== null && picojoules > 0 && (
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
  const ann = usePlayground((state) => state.results.ann);
  const done = points.at(-1)?.steps ?? 0;
  const needed = useMemo(() => {
    const [boxes] = ann?.result.detectionsPerStep ?? [];
    return boxes && stepsNeeded(points.map((point) => ({ steps: point.steps, agreement: agreement(point.detectionsPerStep[0] ?? noDetections, boxes) })));
  }, [points, ann]);
  return (
    <div className="pane-steps">
      <span className="pane-caption" data-testid="steps-needed-pane">
        {needed === undefined ? 'T needed: not yet the ANN’s boxes' : `T needed for the ANN’s boxes: ${needed}`}
      </span>
      <SliderField
        label="Converted, steps T"
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
      <p>
        No ANN twin is loaded. It is a checkpoint of the same rows, trained with ReLU in place of every neuron; any YOLO detector exported to ONNX can
        take its place.
      </p>
      <Button onPress={() => input.current?.click()}>Open an ANN…</Button>
      <input
        ref={input}
        type="file"
        className="visually-hidden"
        tabIndex={-1}
        aria-label="Open an ANN"
        accept=".pt,.pth,.safetensors,.onnx"
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
