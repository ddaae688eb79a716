import { useMemo } from 'react';
import { placeOfRange } from '../../base/receptivePlace';
import { AttributionMap } from '../../charts/AttributionMap';
import { AttributionTable, type AttributionBlock } from '../../charts/AttributionTable';
import { signedDomain, veilOf } from '../../charts/attributionView';
import { BoxOverlay, type Veil } from '../../charts/BoxOverlay';
import type { OverlayBox } from '../../charts/boxText';
import { EventPicture } from '../../charts/EventPicture';
import { formatShort } from '../../charts/format';
import { LegendScale } from '../../charts/LegendScale';
import { chooseBox, chooseMissedBox, chooseSurestBox, isMuted, restoreMuted, toggleMuted } from '../../commands/explain';
import { knownLabels } from '../../commands/labels';
import { selectCell } from '../../commands/neurons';
import { fitOf, selectLayer } from '../../commands/run';
import { setView, usePlayground, type DetectionResult, type ExplainState, type Source } from '../../state/store';
import { Button, Panel } from '../../ui/controls';
import './explain.css';

type Explanation = NonNullable<ExplainState['explanation']>['result'];

/** Where a box's score came from: over the picture, over the chosen layer, and layer by layer at every step. */
export function ExplainPanel() {
  const chosen = usePlayground((state) => state.view.box);
  const explanation = usePlayground((state) => state.explain.explanation);
  const source = usePlayground((state) => state.source);
  const result = usePlayground((state) => state.results.snn?.result);
  const recording = usePlayground((state) => state.recording);
  const hasLabels = useMemo(() => knownLabels({ recording, source }).length > 0, [recording, source]);
  const muted = usePlayground((state) => state.run.muted.length);
  const current = source && explanation?.sourceId === source.id ? explanation.result : undefined;
  return (
    <Panel
      title="Why is this box there"
      aside={
        <span className="explain-actions">
          {muted > 0 && (
            <Button look="quiet" onPress={restoreMuted}>
              Restore what is muted ({muted})
            </Button>
          )}
          {chosen && (
            <Button look="quiet" onPress={() => chooseBox(undefined)}>
              Choose no box
            </Button>
          )}
        </span>
      }
    >
      {!chosen && (
        <div className="explain-empty">
          <p className="panel-empty">
            Choose a box in a picture above: click it, or walk the boxes with the arrow keys and press Enter. A labelled box that was missed can be chosen too.
          </p>
          <div className="explain-actions">
            <Button onPress={chooseSurestBox}>Explain the surest box</Button>
            {hasLabels && <Button onPress={chooseMissedBox}>Explain a missed label</Button>}
          </div>
        </div>
      )}
      {chosen && !current && <p className="panel-empty">Looking for where its score came from…</p>}
      {chosen && current && source && result && <Explained explanation={current} source={source} result={result} />}
    </Panel>
  );
}

function Explained({ explanation, source, result }: { explanation: Explanation; source: Source; result: DetectionResult }) {
  const { step, layer, shownTheme, hoveredCell, neuron } = usePlayground((state) => state.view);
  const muted = usePlayground((state) => state.run.muted);
  const { upTo, layerMap } = explanation;
  const shownStep = Math.min(step, upTo - 1);
  const blocks = useMemo(
    () =>
      result.blocks.flatMap(({ row, block }): AttributionBlock[] => {
        const own = explanation.layers.filter((each) => each.row === row);
        const part = explanation.blocks.find((each) => each.row === row);
        if (own.length === 0 && !part) return [];
        const whole = { kind: 'block' as const, row };
        const isSilent = isMuted(muted, whole);
        return [
          {
            label: `${row} ${block}`,
            share: part && share(part.magnitude, explanation.blocks),
            lost: part?.signed,
            controls: part && (
              <Button look="quiet" aria-label={`${isSilent ? 'Unmute' : 'Mute'} block ${row}`} aria-pressed={isSilent} onPress={() => toggleMuted(whole)}>
                {isSilent ? 'Unmute' : 'Mute'}
              </Button>
            ),
            rows: own.map((each) => ({
              layer: each.layer,
              label: `${each.layer} · ${layerText(result, explanation, each.layer)}`,
              signed: each.signed,
              magnitude: each.magnitude,
              direct: each.direct.reduce((sum, value) => sum + value, 0),
            })),
          },
        ];
      }),
    [result, explanation, muted],
  );
  return (
    <div className="explain">
      <Sentence explanation={explanation} result={result} />
      <div className="explain-maps">
        <figure>
          <figcaption>The picture: gradient × input</figcaption>
          <PictureMap explanation={explanation} source={source} result={result} />
        </figure>
        <figure>
          <figcaption>
            Layer {layerMap.layer}, step {shownStep + 1}: gradient × spike
          </figcaption>
          {layerMap.layer === layer ? (
            <AttributionMap
              {...layerMap}
              step={shownStep}
              theme={shownTheme}
              cursor={hoveredCell}
              selected={neuron}
              onHoverCell={(cell) => setView({ hoveredCell: cell })}
              onSelectCell={selectCell}
            />
          ) : (
            <p className="panel-empty">Reading the layer…</p>
          )}
        </figure>
      </div>
      <AttributionTable blocks={blocks} steps={upTo} step={shownStep} selected={layer} onSelectLayer={selectLayer} theme={shownTheme} />
      <Sum explanation={explanation} />
    </div>
  );
}

function share(magnitude: number, blocks: readonly { magnitude: number }[]): number {
  return magnitude / Math.max(blocks.reduce((sum, block) => sum + block.magnitude, 0), 1e-300);
}

/** Layers that are the same neurons share a row, under the first of them. */
function layerText(result: DetectionResult, explanation: Explanation, layer: number): string {
  const label = result.layers[layer]?.label ?? '';
  const next = result.layers[layer + 1];
  const isShared = next && next.row === result.layers[layer]?.row && !explanation.layers.some((each) => each.layer === next.index);
  return isShared ? `${label} and ${next.label}` : label;
}

function Sentence({ explanation, result }: { explanation: Explanation; result: DetectionResult }) {
  const chosen = usePlayground((state) => state.view.box);
  const confidence = usePlayground((state) => state.detection.confidence);
  const classNames = usePlayground((state) => state.models.snn?.classNames);
  const { found, upTo, withoutCarried } = explanation;
  const name = classNames?.[found.class] ?? `class ${found.class}`;
  const own = chosen?.of === 'snn';
  const steps = upTo === 1 ? 'step 1' : `steps 1 to ${upTo}`;
  return (
    <p className="explain-sentence" data-testid="explained-box">
      <strong>
        {name} {formatShort(found.score)}
      </strong>{' '}
      = objectness {formatShort(found.objectness)} × class {formatShort(found.probability)}, from anchor {found.anchor + 1} of cell x {found.x}, y {found.y} at stride{' '}
      {found.stride}, over {steps} of {result.steps}.{' '}
      {!own &&
        `It is the SNN’s anchor that comes nearest to the ${chosen?.of === 'truth' ? 'labelled box' : 'other network’s box'}: they overlap by ${found.iou.toFixed(2)}, and its score is ${found.score > confidence ? 'above' : 'below'} the confidence of ${confidence}. `}
      {withoutCarried && 'The page carries membranes over from the window before; this explanation starts without them. '}
      Orange raised the score, blue lowered it: the gradient of the score through the rectangular surrogate of every spike, times the input or the spike.
    </p>
  );
}

function PictureMap({ explanation, source, result }: { explanation: Explanation; source: Source; result: DetectionResult }) {
  const theme = usePlayground((state) => state.view.shownTheme);
  const classNames = usePlayground((state) => state.models.snn?.classNames);
  const { found, inputMap } = explanation;
  const domain = useMemo(() => signedDomain(inputMap.values), [inputMap]);
  const veil = useMemo((): Veil => {
    const everywhere = { left: 0, top: 0, right: inputMap.width - 1, bottom: inputMap.height - 1 };
    return { image: veilOf(inputMap.values, inputMap, domain, theme), box: placeOfRange(everywhere, inputMap, inputMap, result.picture, fitOf(source)) };
  }, [inputMap, domain, theme, result, source]);
  const boxes = useMemo(
    (): OverlayBox[] => [{ box: found.box, class: found.class, name: classNames?.[found.class] ?? `class ${found.class}`, score: found.score }],
    [found, classNames],
  );
  const shared = { theme, veil, onHoverPixel: (pixel: { x: number; y: number } | undefined) => setView({ pixel }) };
  return (
    <div className="chart">
      <div className="explain-picture">
        {source.kind === 'picture' ? (
          <BoxOverlay title="Explained box" image={source.bitmap} width={source.size.width} height={source.size.height} detections={boxes} {...shared} />
        ) : (
          <EventPicture title="Explained box" sensor={source.size} pixels={source.view.pixels} boxes={boxes} {...shared} />
        )}
      </div>
      <LegendScale domain={domain} theme={theme} title="Gradient × input, all colours and steps" centreName="no part" />
    </div>
  );
}

/** The exact part of it: what adds to the logits without a neuron in between. */
function Sum({ explanation: { slopes, logits, explained, directInput, biases, layers } }: { explanation: Explanation }) {
  const direct = layers.reduce((sum, { direct: each }) => sum + each.reduce((total, value) => total + value, 0), 0);
  return (
    <p className="explain-sum" data-testid="explained-sum">
      Direct, with no neuron in between, is exact: spikes {formatShort(direct)} + input {formatShort(directInput)} + biases {formatShort(biases)} ={' '}
      {formatShort(direct + directInput + biases)} = {formatShort(slopes.objectness)} × objectness logit {formatShort(logits.objectness)} + {formatShort(slopes.class)} × class
      logit {formatShort(logits.class)} = {formatShort(explained)} (the factors are the score’s slopes). The coloured parts go through neurons, whose jumps the surrogate only
      stands in for: they need not add up to the score.
    </p>
  );
}
