import type { ResetMode } from '../../base/neuron';
import { read, real, repeated, whole, workgroupThreads, write, type Extension, type Program, type UniformField } from './program';
import { readingFunction, readingKey, readingStorage, readingUniforms, type Reading } from './reading';

/**
 * Convolutions. Values lie as vectors of 4 channels, `[steps, height, width, vectors]`; weights as
 * `[kernel row, kernel column, input channel, output vector]`, `inputRows` input channels (rounded up to a multiple of 4); spikes packed 32 to a word,
 * `[steps, height, width, words]`.
 */

const geometryUniforms: UniformField[] = whole(
  'inputHeight', 'inputWidth', 'outputHeight', 'outputWidth', 'pixels', 'kernel', 'stride', 'padding', 'inputSize', 'inputRows', 'outputVectors',
);

/**
 * `half`: weights of 16 bits, and sums of the weights of a word, of at most 32 spikes, too; everything else is `single`, as are real-valued
 * inputs and their sums. `emulated half` rounds to the same numbers where a device has only 32 bits, to see what they do to the boxes.
 */
export type Precision = 'single' | 'half' | 'emulated half';

/** How a device runs the programs. */
export interface Execution {
  precision: Precision;
  /** Threads of a subgroup at least, where they lie in the order of a workgroup's; 1 where there are none. */
  subgroupThreads: number;
}

const weightsOf = (precision: Precision) => read('weights', precision === 'half' ? 'vec4h' : 'vec4f');
const halfExtension = (precision: Precision): Extension[] => (precision === 'half' ? ['f16'] : []);

/** Pixels and vectors of output channels that one thread computes. */
export interface DenseTile {
  pixels: 1 | 2 | 4;
  vectors: 1 | 2 | 4;
}

/**
 * Real-valued inputs. Threads next to each other own output channels next to each other, so that weights are read in one piece and
 * inputs are the same for several. Cost per input vector, pixel and output vector: 4 multiply-adds of vectors, a quarter of the
 * reads of weights for each further pixel.
 *
 * `pixels` counts them over all steps, `inputSize` the input's vectors.
 */
export function denseProgram({ pixels, vectors }: DenseTile, precision: Precision): Program {
  const sums = (pixel: number, vector: number): string => `sum${pixel}_${vector}`;
  return {
    key: `dense convolution, ${pixels} pixels of ${vectors} vectors, ${precision}`,
    extensions: halfExtension(precision),
    storage: [read('source'), weightsOf(precision), read('bias'), write('output')],
    uniforms: geometryUniforms,
    declarations: '',
    body: `
  let lanes = (uniforms.outputVectors + ${vectors - 1}) / ${vectors};
  let vector = (id % lanes) * ${vectors};
  let first = (id / lanes) * ${pixels};
  if (first >= uniforms.pixels) { return; }
  let perStep = uniforms.outputHeight * uniforms.outputWidth;
  ${repeated(pixels, (pixel) => `
  let place${pixel} = min(first + ${pixel}, uniforms.pixels - 1);
  let step${pixel} = place${pixel} / perStep;
  let top${pixel} = (place${pixel} % perStep) / uniforms.outputWidth * uniforms.stride - uniforms.padding;
  let left${pixel} = place${pixel} % uniforms.outputWidth * uniforms.stride - uniforms.padding;
  ${repeated(vectors, (v) => `var ${sums(pixel, v)} = bias[vector + ${v}];`)}`)}
  for (var ky = 0; ky < uniforms.kernel; ky++) {
    for (var kx = 0; kx < uniforms.kernel; kx++) {
      ${repeated(pixels, (pixel) => `
      let y${pixel} = top${pixel} + ky;
      let x${pixel} = left${pixel} + kx;
      let inside${pixel} = y${pixel} >= 0 && y${pixel} < uniforms.inputHeight && x${pixel} >= 0 && x${pixel} < uniforms.inputWidth;
      let at${pixel} = ((step${pixel} * uniforms.inputHeight + y${pixel}) * uniforms.inputWidth + x${pixel}) * uniforms.inputSize;`)}
      var row = (ky * uniforms.kernel + kx) * uniforms.inputRows * uniforms.outputVectors + vector;
      for (var input = 0; input < uniforms.inputSize; input++) {
        ${repeated(pixels, (pixel) => `let value${pixel} = select(vec4f(0.0), source[max(at${pixel}, 0) + input], inside${pixel});`)}
        ${repeated(4, (channel) => `
        ${repeated(vectors, (v) => `let weight${channel}_${v} = vec4f(weights[row + ${v}]);`)}
        ${repeated(pixels, (pixel) => repeated(vectors, (v) => `${sums(pixel, v)} += value${pixel}[${channel}] * weight${channel}_${v};`))}
        row += uniforms.outputVectors;`)}
      }
    }
  }
  ${repeated(pixels, (pixel) => repeated(vectors, (v) => `
  if (first + ${pixel} < uniforms.pixels && vector + ${v} < uniforms.outputVectors) {
    output[(first + ${pixel}) * uniforms.outputVectors + vector + ${v}] = ${sums(pixel, v)};
  }`))}`,
  };
}

/** What is done with the sums before they leave their registers. They are stored where they do not only fire. */
export interface Epilogue {
  /** Of each window of so many places along both sides only the largest sums are kept, one thread for a window; 1 where there are no windows. */
  pool: number;
  /** How a signal that is added is read. */
  addend: readonly Reading[] | undefined;
  /** The LIF neuron fires on them, with this reset. */
  fire: ResetMode | undefined;
}

export const storesSums = ({ addend, fire }: Epilogue): boolean => fire === undefined || addend !== undefined;

export function epilogueKey({ pool, addend, fire }: Epilogue): string {
  return [...(pool > 1 ? [`pool by ${pool}`] : []), ...(addend ? [`add ${readingKey(addend)}`] : []), ...(fire ? [`fire ${fire}`] : [])].join(', ') || 'store';
}

/** `each` visits every spike of every step; `together` every neuron that fires at all, once, and multiplies by what it does at each step. */
export type SpikeWalk = 'each' | 'together';

export interface SpikingTile {
  walk: SpikeWalk;
  vectors: 1 | 2 | 4;
}

/**
 * Spikes, all steps of a pixel in one thread. Words without a spike at any step are skipped; what fires at every step is added once. Threads
 * next to each other share a pixel, and so walk the same bits. Cost per neuron that fires and output vector: one read of weights, and an
 * addition (`each`) or a multiply-add a step (`together`).
 *
 * `pixels` counts those of one step, `inputSize` the input's words. Neurons get as many threads a pixel as fill whole words.
 */
export function spikingProgram({ walk, vectors }: SpikingTile, steps: number, epilogue: Epilogue, { precision, subgroupThreads }: Execution): Program {
  const perStep = (text: (step: number) => string, separator = '\n'): string => repeated(steps, text, separator);
  const perVector = (text: (vector: number) => string): string => repeated(vectors, text, ' ');
  // In half precision the sums of a word are gathered by themselves.
  const word = precision === 'single' ? '' : 'word_';
  const number = precision === 'half' ? 'vec4h' : 'vec4f';
  const add = (sum: string, term: string): string =>
    precision === 'emulated half' ? `${word}${sum} = quantizeToF16(${word}${sum} + ${term});` : `${word}${sum} += ${term};`;
  const sums = [...(steps === 1 ? [] : ['common']), ...Array.from({ length: steps }, (_, t) => `sum${t}`)].flatMap((sum) =>
    Array.from({ length: vectors }, (_, v) => `${sum}_${v}`),
  );
  const beginWord = precision === 'single' ? '' : sums.map((sum) => `var ${word}${sum} = ${number}(0.0);`).join(' ');
  const endWord = precision === 'single' ? '' : sums.map((sum) => `${sum} += vec4f(${word}${sum});`).join(' ');
  const visitAll = (bits: string, sum: string): string => `
        left = ${bits};
        while (left != 0u) {
          let at = row + i32(firstTrailingBit(left)) * uniforms.outputVectors;
          left &= left - 1u;
          ${perVector((v) => add(`${sum}_${v}`, `weights[at + ${v}]`))}
        }`;
  const visitTogether = `
        left = ever & ~always;
        while (left != 0u) {
          let bit = firstTrailingBit(left);
          let at = row + i32(bit) * uniforms.outputVectors;
          left &= left - 1u;
          ${perVector((v) => `let weight${v} = weights[at + ${v}];`)}
          ${perStep((t) => `{ let factor = ${precision === 'half' ? 'f16' : 'f32'}((word${t} >> bit) & 1u); ${perVector((v) => add(`sum${t}_${v}`, `factor * weight${v}`))} }`)}
        }`;
  const { pool, addend, fire } = epilogue;
  const bySubgroup = subgroupThreads >= threadsOfWord(vectors);
  return {
    key: `spiking convolution, ${walk}, ${vectors} vectors, ${steps} steps, ${epilogueKey(epilogue)}, ${precision}`,
    extensions: [...halfExtension(precision), ...(fire && bySubgroup ? (['subgroups'] as const) : [])],
    storage: [
      read('spikes', 'u32'),
      weightsOf(precision),
      read('bias'),
      ...(addend ? readingStorage('addend', addend) : []),
      ...(storesSums(epilogue) ? [write('sums')] : []),
      ...(fire ? [write('fired', 'u32')] : []),
    ],
    uniforms: [
      ...geometryUniforms,
      ...(addend ? readingUniforms('addend', addend) : []),
      ...(fire ? [...whole('channels'), ...real('decay', 'threshold')] : []),
    ],
    declarations: `${addend ? readingFunction('addend', addend) : ''}${fire ? neuronDeclarations(steps, bySubgroup) : ''}`,
    body: `
  let lanes = ${fire ? `(uniforms.outputVectors + 7) / 8 * ${8 / vectors}` : `(uniforms.outputVectors + ${vectors - 1}) / ${vectors}`};
  let vector = (id % lanes) * ${vectors};
  let pixel = id / lanes;
  let exists = pixel < uniforms.pixels && vector < uniforms.outputVectors;
  ${perVector((v) => `var common_${v} = vec4f(0.0);`)}
  ${perStep((t) => perVector((v) => `var sum${t}_${v} = vec4f(0.0);`))}
  ${pool === 1 ? '' : perStep((t) => perVector((v) => `var largest${t}_${v} = vec4f(0.0);`))}
  if (exists) { ${pool === 1 ? '' : `for (var window = 0; window < ${pool * pool}; window++) {`}
    ${perVector((v) => `common_${v} = bias[vector + ${v}];`)}
    let top = ${placeInWindow('pixel / uniforms.outputWidth', `window / ${pool}`, pool)} * uniforms.stride - uniforms.padding;
    let left_ = ${placeInWindow('pixel % uniforms.outputWidth', `window % ${pool}`, pool)} * uniforms.stride - uniforms.padding;
    let stepWords = uniforms.inputHeight * uniforms.inputWidth * uniforms.inputSize;
    let lastY = min(uniforms.kernel, uniforms.inputHeight - top);
    let lastX = min(uniforms.kernel, uniforms.inputWidth - left_);
    for (var ky = max(0, -top); ky < lastY; ky++) {
      for (var kx = max(0, -left_); kx < lastX; kx++) {
        let place = ((top + ky) * uniforms.inputWidth + left_ + kx) * uniforms.inputSize;
        for (var word = 0; word < uniforms.inputSize; word++) {
          ${perStep((t) => `let word${t} = spikes[place + word + ${t} * stepWords];`)}
          let ever = ${perStep((t) => `word${t}`, ' | ')};
          if (ever == 0u) { continue; }
          let row = ((ky * uniforms.kernel + kx) * uniforms.inputRows + word * 32) * uniforms.outputVectors + vector;
          var left : u32;
          ${beginWord}
          let always = ${steps === 1 ? '0u' : perStep((t) => `word${t}`, ' & ')};
          ${steps === 1 ? '' : visitAll('always', 'common')}
          ${walk === 'together' ? visitTogether : perStep((t) => visitAll(`word${t} & ~always`, `sum${t}`))}
          ${endWord}
        }
      }
    }
    ${perStep((t) => perVector((v) => `sum${t}_${v} += common_${v};`))}
    ${pool === 1 ? '' : `${perStep((t) => perVector((v) => `largest${t}_${v} = select(max(largest${t}_${v}, sum${t}_${v}), sum${t}_${v}, window == 0); sum${t}_${v} = vec4f(0.0);`))} }`}
  }
  ${pool === 1 ? '' : perStep((t) => perVector((v) => `sum${t}_${v} = largest${t}_${v};`))}
  ${addend ? addendBody(steps, vectors) : ''}
  ${perVector((v) => `
  if (exists && vector + ${v} < uniforms.outputVectors) {
    ${perStep((t) => `
    ${addend ? `sum${t}_${v} += added[${t * vectors + v}];` : ''}
    ${storesSums(epilogue) ? `sums[(${t} * uniforms.pixels + pixel) * uniforms.outputVectors + vector + ${v}] = sum${t}_${v};` : ''}`)}
  }`)}
  ${fire ? neuronBody(steps, vectors, fire, bySubgroup) : ''}`,
  };
}

/** In a loop: compilers would repeat all of the reading for each sum, which takes them long. */
const addendBody = (steps: number, vectors: number): string => `
  var added : array<vec4f, ${steps * vectors}>;
  for (var sum = 0; sum < ${steps * vectors}; sum++) {
    let place = vector + sum % ${vectors};
    if (exists && place < uniforms.outputVectors) { added[sum] = addendAt(sum / ${vectors}, pixel, place); }
  }`;

const placeInWindow = (place: string, inWindow: string, pool: number): string => (pool === 1 ? `${place}` : `(${place} * ${pool} + ${inWindow})`);

/** Threads that a program needs. @param pixels as its uniform counts them */
export function denseThreads({ pixels: tile, vectors }: DenseTile, pixels: number, outputVectors: number): number {
  return Math.ceil(pixels / tile) * Math.ceil(outputVectors / vectors);
}

export function spikingThreads({ vectors }: SpikingTile, epilogue: Epilogue, pixels: number, outputVectors: number): number {
  const lanes = epilogue.fire ? (Math.ceil(outputVectors / 8) * 8) / vectors : Math.ceil(outputVectors / vectors);
  return pixels * lanes;
}

/** A word's bits come from so many threads next to each other. */
const threadsOfWord = (vectors: number): number => 8 / vectors;

function neuronDeclarations(steps: number, bySubgroup: boolean): string {
  return `
${bySubgroup ? '' : `/** Bits of the threads of a workgroup, to be put together into words. */
var<workgroup> bits : array<u32, ${steps * workgroupThreads}>;`}
fn bitsOf(spikes : vec4<bool>) -> u32 {
  return dot(select(vec4u(0u), vec4u(1u, 2u, 4u, 8u), spikes), vec4u(1u));
}`;
}

/** The LIF neuron over all steps on the sums of a thread; then one thread of each word puts the bits of all of its threads together. */
function neuronBody(steps: number, vectors: number, reset: ResetMode, bySubgroup: boolean): string {
  const threads = threadsOfWord(vectors);
  const distances = [1, 2, 4].filter((distance) => distance < threads);
  const gatherBySubgroup = repeated(
    steps,
    (t) => `${distances.map((distance) => `fired${t} |= subgroupShuffleXor(fired${t}, ${distance}u);`).join(' ')}
  if (writes) { fired[(${t} * uniforms.pixels + pixel) * words + (id % lanes) / ${threads}] = fired${t}; }`,
  );
  const gatherByWorkgroup = `
  ${repeated(steps, (t) => `bits[${t * workgroupThreads}u + lane] = fired${t};`, ' ')}
  workgroupBarrier();
  if (writes) {
    for (var step = 0; step < ${steps}; step++) {
      var word = 0u;
      for (var thread = 0u; thread < ${threads}u; thread++) { word |= bits[u32(step) * ${workgroupThreads}u + lane + thread]; }
      fired[(step * uniforms.pixels + pixel) * words + (id % lanes) / ${threads}] = word;
    }
  }`;
  return `
  ${repeated(steps, (t) => `var fired${t} = 0u;`, ' ')}
  ${repeated(vectors, (v) => `
  if (exists && vector + ${v} < uniforms.outputVectors) {
    let channel = (vector + ${v}) * 4;
    let existing = (1u << u32(clamp(uniforms.channels - channel, 0, 4))) - 1u;
    let place = u32(channel % 32);
    var left = vec4f(0.0);
    ${repeated(steps, (t) => `{
      let membrane = left + sum${t}_${v};
      let spike = membrane > vec4f(uniforms.threshold);
      fired${t} |= (bitsOf(spike) & existing) << place;
      left = uniforms.decay * ${reset === 'soft' ? 'select(membrane, membrane - uniforms.threshold, spike)' : 'select(membrane, vec4f(0.0), spike)'};
    }`)}
  }`)}
  let words = lanes / ${threads};
  let writes = pixel < uniforms.pixels && (id % ${threads}) == 0;
  ${bySubgroup ? gatherBySubgroup : gatherByWorkgroup}`;
}

/** Whether the threads of a subgroup lie in the order of a workgroup's: 1 for each thread where they do. */
export const subgroupOrderProgram: Program = {
  key: 'order of subgroups',
  extensions: ['subgroups'],
  storage: [write('output', 'u32')],
  uniforms: whole('count'),
  declarations: '',
  body: 'output[id] = select(0u, 1u, subgroupLane == lane % subgroupSize);',
};
