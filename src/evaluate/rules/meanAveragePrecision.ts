import { CocoTally, type CocoResult } from './cocoRule';
import { ReleasedTally } from './releasedRule';
import { bestFirst, type ComparedPicture, type RuleResult } from './rules';

export interface MeanAveragePrecision {
  /** By the released code's rule. */
  released: RuleResult;
  /** By COCO's. */
  coco: CocoResult;
}

/** What detections must be made with, so that both rules see what their figures are known for (specification, section 6). */
export const evaluationSuppression = { confidence: 0.001, iou: 0.6, severalClassesPerBox: true } as const;

/** Takes pictures one by one, and gives both rules' figures for those so far. */
export class PrecisionTally {
  private readonly released = new ReleasedTally();
  private readonly coco = new CocoTally();

  /** Detections in any order. */
  add({ detections, labels }: ComparedPicture): void {
    const picture = { detections: bestFirst(detections), labels };
    this.released.add(picture);
    this.coco.add(picture);
  }

  result(classNames: readonly string[]): MeanAveragePrecision {
    return { released: this.released.result(classNames), coco: this.coco.result(classNames) };
  }
}

/** Both rules on a set of pictures. @param classNames the network's, which the classes of both sides are indices into */
export function meanAveragePrecision(pictures: Iterable<ComparedPicture>, classNames: readonly string[]): MeanAveragePrecision {
  const tally = new PrecisionTally();
  for (const picture of pictures) tally.add(picture);
  return tally.result(classNames);
}
