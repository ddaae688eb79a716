import { useEffect, useMemo, useState } from 'react';
import { BoxOverlay } from '../../charts/BoxOverlay';
import type { OverlayBox } from '../../charts/boxText';
import { samplePicture } from '../../commands/evaluate';
import { usePlayground, type EvaluatedCase } from '../../state/store';
import { Panel } from '../../ui/controls';
import { caseTitle } from './words';

type Worst = EvaluatedCase['worst'][number];

/** The pictures with the lowest F1, with their boxes, and what is wrong with each. */
export function WorstPanel() {
  const evaluation = usePlayground(({ evaluate }) => evaluate.evaluation);
  const shown = usePlayground(({ evaluate }) => evaluate.shownCase);
  const found = evaluation?.state?.cases[shown];
  if (!evaluation || !found) return null;
  return (
    <Panel title="Worst pictures" aside={`${caseTitle(found)}; lowest F1 first, at confidence 0.25`}>
      {found.worst.length === 0 && <p className="evaluate-note">Every label was found, and nothing else.</p>}
      <ul className="evaluate-gallery" data-testid="evaluation-worst">
        {found.worst.map((worst) => (
          <li key={`${evaluation.request.id} ${worst.sample}`}>
            <WorstPicture worst={worst} evaluation={evaluation.request.id} classNames={found.classNames} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** Wide enough for the gallery on screens of two pixels a point. */
const pictureWidthPx = 640;

function WorstPicture({ worst, evaluation, classNames }: { worst: Worst; evaluation: string; classNames: readonly string[] }) {
  const theme = usePlayground(({ view }) => view.shownTheme);
  const [hovered, setHovered] = useState<number>();
  const image = useSamplePicture(evaluation, worst.sample);
  const boxes = useMemo(() => boxesOf(worst, classNames), [worst, classNames]);
  const { title, f1, size, labels } = worst;
  const wrong = worst.detections.filter(({ verdict }) => verdict !== 'correct' && verdict !== 'crowd').length;
  const found = labels.filter(({ verdict }) => verdict === 'found').length;
  return (
    <figure>
      <div className="evaluate-picture">
        <BoxOverlay image={image} width={size.width} height={size.height} detections={boxes} title={title} theme={theme} hovered={hovered} onHover={setHovered} />
      </div>
      <figcaption>
        <strong>{title}</strong>: F1 {f1.toFixed(2)}, {found} of {labels.length} labels found, {wrong} wrong
      </figcaption>
    </figure>
  );
}

function useSamplePicture(evaluation: string, sample: number): ImageBitmap | undefined {
  const [image, setImage] = useState<ImageBitmap>();
  useEffect(() => {
    let isWanted = true;
    let bitmap: ImageBitmap | undefined;
    void samplePicture(evaluation, sample, pictureWidthPx).then((loaded) => {
      if (isWanted) setImage((bitmap = loaded));
      else loaded?.close();
    });
    return () => {
      isWanted = false;
      bitmap?.close();
    };
  }, [evaluation, sample]);
  return image;
}

/** Labels that were found stand for themselves; the others are missed. A false box says what is wrong with it. */
function boxesOf({ detections, labels }: Worst, classNames: readonly string[]): OverlayBox[] {
  const nameOf = (label: number): string => classNames[label] ?? `class ${label}`;
  return [
    ...detections.map(({ box, score, class: label, verdict }): OverlayBox => {
      const isFine = verdict === 'correct' || verdict === 'crowd';
      return { box, score, class: label, name: isFine ? nameOf(label) : `${nameOf(label)} (${verdict})`, kind: isFine ? 'matched' : 'false' };
    }),
    ...labels.map(({ box, class: label, verdict }): OverlayBox => ({ box, class: label, name: nameOf(label), kind: verdict === 'missed' || verdict === 'mistaken' ? 'missed' : 'truth' })),
  ];
}
