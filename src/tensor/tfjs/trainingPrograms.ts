import type { SurrogateShape } from '../../base/surrogate';
import { flatDispatch, type WebGPUProgram } from './programs';
import type { NeuronGradientAttributes, WeightGradientAttributes } from './trainingKernels';

// Numbers are read as `f32(...)`: what tfjs compared, spikes for instance, stays whole numbers in memory although it calls it float32.

/** ds/dv in WGSL; base/surrogate.ts has the formulas in the field's own signs. */
const surrogates: Record<SurrogateShape, string> = {
  rectangular: 'select(0.0, 1.0 / (2.0 * uniforms.parameter), abs(u) < uniforms.parameter)',
  arctangent: '0.5 * uniforms.parameter / (1.0 + pow2(1.5707963267948966 * uniforms.parameter * u))',
  sigmoid: 'uniforms.parameter * logistic(uniforms.parameter * u) * logistic(-uniforms.parameter * u)',
  triangle: 'max(0.0, 1.0 - abs(u) / uniforms.parameter) / uniforms.parameter',
};

/**
 * Backwards through the neuron over all steps in one dispatch.
 *
 * Layout: one thread a neuron, 64 threads a workgroup; threads next to each other own channels next to each other. Cost per neuron: 2 T
 * reads, T writes and about ten operations a step; what goes from step to step lives in a register.
 */
export class NeuronGradientProgram implements WebGPUProgram {
  readonly variableNames = ['membrane', 'gradient'];
  readonly uniforms = 'neurons : i32, steps : i32, decay : f32, threshold : f32, penalty : f32, parameter : f32,';
  readonly workgroupSize: [number, number, number] = [64, 1, 1];
  readonly dispatchLayout: { x: number[] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;

  /** @param outputShape `[steps, neurons]` */
  constructor(
    readonly outputShape: number[],
    private readonly attributes: Pick<NeuronGradientAttributes, 'neuron' | 'reset' | 'shape'>,
  ) {
    this.dispatchLayout = { x: outputShape.map((_, axis) => axis) };
    this.dispatch = flatDispatch(Math.ceil((outputShape[1] ?? 0) / this.workgroupSize[0]));
    const { neuron, reset, shape } = attributes;
    this.shaderKey = `neuron_gradient_${neuron}_${reset ?? 'hard'}_${shape}`;
  }

  getUserCode(): string {
    const { neuron, reset, shape } = this.attributes;
    const kept = reset === 'soft' ? 'uniforms.decay' : 'select(uniforms.decay, 0.0, u > 0.0)';
    const step =
      neuron === 'silu'
        ? `let sigmoid = logistic(v);
           let above = f32(gradient[at]) + uniforms.decay * (1.0 - v * sigmoid) * carried;
           carried = above * sigmoid * (1.0 + v * (1.0 - sigmoid));`
        : `let u = v - uniforms.threshold;
           carried = (f32(gradient[at]) + uniforms.penalty) * (${surrogates[shape]}) + ${kept} * carried;`;
    return `
      fn logistic(x : f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }
      fn pow2(x : f32) -> f32 { return x * x; }

      fn main(index : i32) {
        if (index >= uniforms.neurons) { return; }
        var carried = 0.0;
        for (var t = uniforms.steps - 1; t >= 0; t--) {
          let at = t * uniforms.neurons + index;
          let v = membrane[at];
          ${step}
          result[at] = carried;
        }
      }
    `;
  }
}

/**
 * Sums the rows of `[rows, columns]`. Layout: one thread a column, 64 threads a workgroup. Cost per column: as many reads and additions as there
 * are rows. tfjs's own reduction gives every sum a workgroup, and copies what it sums when that does not lie in one piece.
 */
export class SumRowsProgram implements WebGPUProgram {
  readonly variableNames = ['x'];
  readonly uniforms = 'rows : i32, columns : i32,';
  readonly workgroupSize: [number, number, number] = [64, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly shaderKey = 'sum_rows';
  readonly outputShape: number[];

  constructor(columns: number) {
    this.outputShape = [columns];
    this.dispatch = flatDispatch(Math.ceil(columns / this.workgroupSize[0]));
  }

  getUserCode(): string {
    return `
      fn main(index : i32) {
        if (index >= uniforms.columns) { return; }
        var sum = 0.0;
        for (var row = 0; row < uniforms.rows; row++) {
          sum += f32(x[row * uniforms.columns + index]);
        }
        result[index] = sum;
      }
    `;
  }
}

/** Channels on either side of the tile of weights that a workgroup sums, and output pixels that it takes at once. */
const tile = 32;
const placesAtOnce = 16;
/** A device is busy with this many workgroups; where tiles and taps are fewer, the pixels are parted. */
const wantedWorkgroups = 256;
/** Output pixels that are added up in one float32, more or less. */
const longestPart = 8192;

/** How many parts the pixels are summed in. */
export function weightGradientParts({ kernel, inputChannels, outputChannels }: WeightGradientAttributes, places: number): number {
  const workgroups = kernel * kernel * Math.ceil(inputChannels / tile) * Math.ceil(outputChannels / tile);
  const wanted = Math.max(Math.ceil(wantedWorkgroups / workgroups), Math.ceil(places / longestPart));
  return Math.min(wanted, Math.ceil(places / (4 * placesAtOnce)));
}

/**
 * The gradient of a convolution's weights, `[parts, taps, in, out]`, to be summed over the parts: always in the same order, unlike a
 * product of matrices that tfjs splits with atomic additions, so that two runs of training are equal.
 *
 * Layout: a workgroup of 8 x 8 threads sums a tile of 32 x 32 weights of one tap over the output pixels of a part, 4 x 4 a thread, from
 * 16 pixels at a time in shared memory (4 KiB). Cost per thread and pixel: half a read of the device's memory, 2 of shared memory (vectors)
 * and 16 multiply-adds.
 */
export class WeightGradientProgram implements WebGPUProgram {
  readonly variableNames = ['input', 'gradient'];
  readonly uniforms =
    'kernel : i32, stride : i32, padding : i32, inputHeight : i32, inputWidth : i32, inputs : i32, height : i32, width : i32, outputs : i32, places : i32, chunks : i32,';
  readonly workgroupSize: [number, number, number] = [8, 8, 1];
  // Not used but to tell tfjs that threads are not in a line.
  readonly dispatchLayout = { x: [3], y: [2], z: [0, 1] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey = 'weight_gradient';

  constructor(parts: number, { kernel, inputChannels, outputChannels }: WeightGradientAttributes) {
    const taps = kernel * kernel;
    this.outputShape = [parts, taps, inputChannels, outputChannels];
    this.dispatch = [Math.ceil(outputChannels / tile), Math.ceil(inputChannels / tile), taps * parts];
  }

  /** @param places output pixels of all frames @returns how often a part takes pixels into shared memory */
  static chunks(places: number, parts: number): number {
    return Math.ceil(places / (parts * placesAtOnce));
  }

  getUserCode(): string {
    return `
      var<workgroup> inputs : array<array<vec4<f32>, ${tile / 4}>, ${placesAtOnce}>;
      var<workgroup> gradients : array<array<vec4<f32>, ${tile / 4}>, ${placesAtOnce}>;

      fn main() {
        let taps = uniforms.kernel * uniforms.kernel;
        let tap = i32(workgroupId.z) % taps;
        let part = i32(workgroupId.z) / taps;
        let firstInput = i32(workgroupId.y) * ${tile};
        let firstOutput = i32(workgroupId.x) * ${tile};
        // What this thread brings into shared memory: 8 channels of one of the pixels, on either side.
        let row = i32(localIndex) / 4;
        let column = (i32(localIndex) % 4) * 8;
        var sums : array<vec4<f32>, 4>;
        for (var chunk = 0; chunk < uniforms.chunks; chunk++) {
          let place = (part * uniforms.chunks + chunk) * ${placesAtOnce} + row;
          let x = place % uniforms.width;
          let y = (place / uniforms.width) % uniforms.height;
          let frame = place / (uniforms.width * uniforms.height);
          let inputX = x * uniforms.stride + tap % uniforms.kernel - uniforms.padding;
          let inputY = y * uniforms.stride + tap / uniforms.kernel - uniforms.padding;
          let real = place < uniforms.places;
          let inside = real && inputX >= 0 && inputX < uniforms.inputWidth && inputY >= 0 && inputY < uniforms.inputHeight;
          let fromInput = ((frame * uniforms.inputHeight + inputY) * uniforms.inputWidth + inputX) * uniforms.inputs;
          let fromGradient = place * uniforms.outputs;
          for (var c = 0; c < 8; c += 4) {
            var a = vec4<f32>(0.0);
            var b = vec4<f32>(0.0);
            for (var lane = 0; lane < 4; lane++) {
              let i = firstInput + column + c + lane;
              let o = firstOutput + column + c + lane;
              if (inside && i < uniforms.inputs) { a[lane] = f32(input[fromInput + i]); }
              if (real && o < uniforms.outputs) { b[lane] = f32(gradient[fromGradient + o]); }
            }
            inputs[row][(column + c) / 4] = a;
            gradients[row][(column + c) / 4] = b;
          }
          workgroupBarrier();
          for (var k = 0; k < ${placesAtOnce}; k++) {
            let a = inputs[k][localId.y];
            let b = gradients[k][localId.x];
            for (var lane = 0; lane < 4; lane++) { sums[lane] += a[lane] * b; }
          }
          workgroupBarrier();
        }
        let o = firstOutput + i32(localId.x) * 4;
        for (var lane = 0; lane < 4; lane++) {
          let i = firstInput + i32(localId.y) * 4 + lane;
          if (i >= uniforms.inputs) { continue; }
          let to = (i32(workgroupId.z) * uniforms.inputs + i) * uniforms.outputs;
          for (var column = 0; column < 4; column++) {
            if (o + column < uniforms.outputs) { result[to + o + column] = sums[lane][column]; }
          }
        }
      }
    `;
  }
}
