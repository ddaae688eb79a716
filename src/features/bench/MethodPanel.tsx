import { Panel } from '../../ui/controls';

/** What the numbers mean. */
export function MethodPanel() {
  return (
    <Panel title="How it is measured">
      <ul className="bench-notes">
        <li>All engines run the same weights on the same picture. What they compute is compared first: the largest difference of a logit from the first engine’s stands in the table.</li>
        <li>Then they take turns, one run each, round after round, so that what else the machine does meets all alike. Shown are the median and both ends. A time goes from the picture’s values to the logits, reading back included.</li>
        <li>One thread for each engine. One that is much slower takes part in fewer rounds (20 seconds in all), and the table says how many runs it had.</li>
        <li>
          “Stock tfjs” runs the network composed of tfjs’s own operations; onnxruntime-web runs it as the ONNX file that <code>cli convert</code> writes, unrolled over the steps. Both multiply by every zero. A runtime that adds in another order can flip
          a spike whose membrane lies at the threshold, and some logits then differ by more than rounding.
        </li>
        <li>
          <code>npm run -s cli -- bench --json</code> measures the same in Node and writes the same file.
        </li>
      </ul>
    </Panel>
  );
}
