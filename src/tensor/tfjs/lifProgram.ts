import type { ResetMode } from '../../base/neuron';
import type { Emission } from './neuronKernel';
import { flatDispatch, type WebGPUProgram } from './programs';

function neuronsOf([, ...sides]: readonly number[]): number {
  return sides.reduce((product, side) => product * side, 1);
}

/**
 * The LIF neuron over all steps in one dispatch.
 *
 * Layout: one thread a neuron, 64 threads a workgroup; threads next to each other own channels next to each other, so
 * that reads and writes of one step are contiguous. Cost per neuron: T reads (one for a still input), T writes, T
 * multiply-adds; the membrane lives in a register. Composed of tfjs operations the same work takes 5 T dispatches and
 * reads every membrane three times.
 */
export class LifProgram implements WebGPUProgram {
  readonly variableNames = ['input'];
  readonly uniforms = 'neurons : i32, sourceStride : i32, steps : i32, decay : f32, threshold : f32,';
  readonly workgroupSize: [number, number, number] = [64, 1, 1];
  readonly dispatchLayout: { x: number[] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;

  /** @param outputShape `[steps, height, width, channels]` */
  constructor(
    readonly outputShape: number[],
    private readonly emission: Emission,
    private readonly reset: ResetMode,
  ) {
    this.dispatchLayout = { x: outputShape.map((_, axis) => axis) };
    // One thread walks all steps of its neuron, so that only one step's neurons are dispatched.
    this.dispatch = flatDispatch(Math.ceil(neuronsOf(outputShape) / this.workgroupSize[0]));
    this.shaderKey = `lif_${emission}_${reset}`;
  }

  getUserCode(): string {
    const left = this.reset === 'soft' ? 'v - uniforms.threshold' : '0.0';
    const carry = `carried = uniforms.decay * select(v, ${left}, v > uniforms.threshold);`;
    const emit = {
      spikes: `let emitted = select(0.0, 1.0, v > uniforms.threshold); ${carry}`,
      membrane: `let emitted = v; ${carry}`,
      silu: 'let emitted = v / (1.0 + exp(-v)); carried = uniforms.decay * emitted * (1.0 - emitted);',
    }[this.emission];
    return `
      fn main(index : i32) {
        if (index >= uniforms.neurons) { return; }
        var carried = 0.0;
        for (var t = 0; t < uniforms.steps; t++) {
          let v = carried + input[t * uniforms.sourceStride + index];
          ${emit}
          result[t * uniforms.neurons + index] = emitted;
        }
      }
    `;
  }
}
