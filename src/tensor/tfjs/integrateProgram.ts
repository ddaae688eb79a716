import type { IntegrateAndFireAttributes } from './integrateKernel';
import { flatDispatch, type WebGPUProgram } from './programs';

/**
 * The integrate-and-fire neuron over all steps in one dispatch.
 *
 * Layout: one thread a neuron, 64 threads a workgroup; threads next to each other own channels next to each other. Cost per
 * neuron: T + 2 reads (3 for a still input), T writes for spikes or one for membranes, and per step an addition and, for
 * each spike, a subtraction; the membrane lives in a register.
 */
export class IntegrateAndFireProgram implements WebGPUProgram {
  readonly variableNames = ['input', 'before', 'thresholds'];
  readonly uniforms = 'neurons : i32, sourceStride : i32, steps : i32, channels : i32, maximumSpikes : i32,';
  readonly workgroupSize: [number, number, number] = [64, 1, 1];
  readonly dispatchLayout: { x: number[] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;

  /** @param outputShape `[steps, height, width, channels]` for spikes, `[1, height, width, channels]` for membranes */
  constructor(
    readonly outputShape: number[],
    neurons: number,
    private readonly emission: IntegrateAndFireAttributes['emission'],
  ) {
    this.dispatchLayout = { x: outputShape.map((_, axis) => axis) };
    this.dispatch = flatDispatch(Math.ceil(neurons / this.workgroupSize[0]));
    this.shaderKey = `integrate_and_fire_${emission}`;
  }

  getUserCode(): string {
    const [everyStep, atTheEnd] =
      this.emission === 'spikes' ? ['result[t * uniforms.neurons + index] = f32(count);', ''] : ['', 'result[index] = v;'];
    return `
      fn main(index : i32) {
        if (index >= uniforms.neurons) { return; }
        let threshold = thresholds[index % uniforms.channels];
        var v = before[index];
        for (var t = 0; t < uniforms.steps; t++) {
          v = v + input[t * uniforms.sourceStride + index];
          var count = 0;
          while (count < uniforms.maximumSpikes && v >= threshold) {
            v = v - threshold;
            count++;
          }
          ${everyStep}
        }
        ${atTheEnd}
      }
    `;
  }
}
