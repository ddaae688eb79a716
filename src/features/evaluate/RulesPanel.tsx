import { Panel } from '../../ui/controls';

/** Which rule is which: two programs give two figures for the same boxes. */
export function RulesPanel() {
  return (
    <Panel title="Which rule is which">
      <div className="evaluate-text">
        <p>
          Both rules ask, for each class, how precision falls as boxes of less confidence are let in, and take the area under that curve: the average precision (AP). mAP50 counts a box as right from an
          overlap (IoU) of 0.5 on; mAP is the mean over the overlaps 0.50, 0.55 … 0.95. The mean goes over classes that have labels. The two differ in details, and so by about 0.01:
        </p>
        <dl>
          <dt>The released code’s rule</dt>
          <dd>
            is the one that EMS-YOLO’s published code prints (it is YOLOv5’s). Boxes and labels are paired once, best overlap first, for all overlaps; the curve is interpolated linearly between (0, 1) and
            (1, 0). Up to 300 boxes a picture count. Compare with figures of the EMS-YOLO paper and of YOLOv5’s descendants.
          </dd>
          <dt>COCO’s rule</dt>
          <dd>
            pairs anew at each overlap, boxes in order of confidence; precision is read at 101 recalls without interpolation; at most 100 boxes of a class a picture count. Labels marked as crowds are neither
            found nor missed. Small, medium and large are labels of less than 32², up to 96², and more square pixels of the original picture. AR100 is the mean of the largest recalls. Compare with figures that
            pycocotools gave.
          </dd>
          <dt>Errors, confusion and worst pictures</dt>
          <dd>
            are about the boxes that a person is shown: confidence 0.25, NMS 0.45, one class a box. The kinds of errors are those of TIDE (Bolya et al., ECCV 2020), counted. F1 is twice the correct boxes by all
            boxes and labels.
          </dd>
        </dl>
        <p>
          Pictures are letterboxed into the network’s square. Of recordings, each time that has labels is a sample: the 250 ms before it, cut into T slices; the ANN gets the whole window painted as one picture.
        </p>
      </div>
    </Panel>
  );
}
