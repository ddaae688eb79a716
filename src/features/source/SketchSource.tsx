import { inkOnPaper } from '../../base/sketch';
import { digitsModel } from '../../commands/models';
import { setSketch } from '../../commands/sketch';
import { usePlayground } from '../../state/store';
import { DrawingPad } from '../../ui/DrawingPad';

/** Draw digits, and the networks read them while the pen moves. */
export function SketchSource() {
  const sketch = usePlayground((state) => state.sketch);
  return (
    <details className="source-remote">
      <summary>Draw digits</summary>
      <p className="source-note">Detection follows the pen; with it, the model {digitsModel.title} is loaded.</p>
      <DrawingPad name="Digit pad" sketch={sketch} colours={inkOnPaper} onChange={setSketch} />
      <Reading />
    </details>
  );
}

/** What the SNN reads on the pad, in words. */
function Reading() {
  const source = usePlayground((state) => state.source);
  const pane = usePlayground((state) => state.results.snn);
  const detections = source && pane?.sourceId === source.id ? pane.result.detectionsPerStep.at(-1) : undefined;
  if (!source?.id.startsWith('sketch') || !detections) return null;
  const read = detections.toSorted((a, b) => a.box[0] - b.box[0]).map(({ name, score }) => `${name} (${score.toFixed(2)})`);
  return (
    <p className="source-note" aria-live="polite">
      {read.length === 0 ? 'The SNN reads nothing yet.' : `The SNN reads, from left to right: ${read.join(', ')}.`}
    </p>
  );
}
