import type { ResetMode } from '../../base/neuron';
import { read, real, repeated, whole, workgroupThreads, write, type Program } from './program';
import { readingByChannelFunction, readingFunction, readingKey, readingStorage, readingUniforms, type Reading } from './reading';

/**
 * Everything that is not a convolution. Values are vectors of 4 channels, `[steps, height, width, vectors]`; one thread a vector unless
 * it says otherwise. A source that is the same at every step has a step size of 0.
 */

/** `body` gives the vector `result` from the vector number `id`. */
function elementwise(key: string, sources: readonly string[], uniforms: Program['uniforms'], body: string): Program {
  return {
    key,
    storage: [...sources.map((name) => read(name)), write('output')],
    uniforms: [...whole('count'), ...uniforms],
    declarations: '',
    body: `
  if (id >= uniforms.count) { return; }
  ${body}
  output[id] = result;`,
  };
}

export const reluProgram = elementwise('relu', ['source'], [], 'let result = max(source[id], vec4f(0.0));');

/** `countA` and `countB` are the vectors that there are of each: fewer than of the result where a side has one step. */
export const addProgram = elementwise(
  'add',
  ['a', 'b'],
  whole('countA', 'countB'),
  'let result = a[id % uniforms.countA] + b[id % uniforms.countB];',
);

/** `maskCount` vectors of zeros and ones, the same for every step. */
export const silenceProgram = elementwise('silence', ['source', 'mask'], whole('maskCount'), 'let result = source[id] * mask[id % uniforms.maskCount];');

/** At step t the mean over the steps 0..t, or with `last` above -1 only that of this step. */
export const meanProgram = elementwise(
  'mean over steps',
  ['source'],
  whole('stepVectors', 'sourceStep', 'last'),
  `
  let step = select(id / uniforms.stepVectors, uniforms.last, uniforms.last >= 0);
  let place = id % uniforms.stepVectors;
  var sum = vec4f(0.0);
  for (var t = 0; t <= step; t++) { sum += source[t * uniforms.sourceStep + place]; }
  let result = sum / f32(step + 1);`,
);

/** What a step begins with where an earlier run goes on: the current with what was left added to the first. */
export const addCarriedProgram = elementwise(
  'add carried',
  ['source', 'carried'],
  whole('stepVectors', 'sourceStep'),
  `
  let place = id % uniforms.stepVectors;
  var result = source[(id / uniforms.stepVectors) * uniforms.sourceStep + place];
  if (id < uniforms.stepVectors) { result += carried[place]; }`,
);

export const carryOverProgram = (neuron: 'lif' | 'soft lif' | 'silu'): Program =>
  elementwise(
    `carry over, ${neuron}`,
    ['source'],
    [...whole('offset'), ...real('decay', 'threshold')],
    `
  let v = source[uniforms.offset + id];
  let fired = v > vec4f(uniforms.threshold);
  let result = uniforms.decay * ${
    { lif: 'select(v, vec4f(0.0), fired)', 'soft lif': 'select(v, v - uniforms.threshold, fired)', silu: 'v * (1.0 - v)' }[neuron]
  };`,
  );

/** Sums up to the end of all steps, `before` with the inputs of the steps; the first half of max pooling over time. */
export const sumsProgram: Program = elementwise(
  'sums over steps',
  ['source', 'before'],
  whole('sourceStep', 'steps'),
  `
  var result = before[id];
  for (var t = 0; t < uniforms.steps; t++) { result += source[t * uniforms.sourceStep + id]; }`,
);

/** The largest of every window's sums, less what it was a step before. `count` vectors of the output at one step. */
export const maxPoolOfSumsProgram: Program = {
  key: 'max pool of sums',
  storage: [read('source'), read('before'), write('output')],
  uniforms: whole('count', 'height', 'width', 'size', 'vectors', 'steps', 'sourceStep'),
  declarations: '',
  body: `
  if (id >= uniforms.count) { return; }
  let wide = uniforms.width / uniforms.size;
  let pixel = id / uniforms.vectors;
  let corner = ((pixel / wide * uniforms.size) * uniforms.width + pixel % wide * uniforms.size) * uniforms.vectors + id % uniforms.vectors;
  var earlier = vec4f(0.0);
  for (var step = -1; step < uniforms.steps; step++) {
    var largest = vec4f(0.0);
    for (var dy = 0; dy < uniforms.size; dy++) {
      for (var dx = 0; dx < uniforms.size; dx++) {
        let at = corner + (dy * uniforms.width + dx) * uniforms.vectors;
        var sum = before[at];
        for (var t = 0; t <= step; t++) { sum += source[t * uniforms.sourceStep + at]; }
        largest = select(max(largest, sum), sum, dy == 0 && dx == 0);
      }
    }
    if (step >= 0) { output[step * uniforms.count + id] = largest - earlier; }
    earlier = largest;
  }`,
};

/** A signal in one piece, whatever its parts; `pixels` of one step. @param aligned all parts but the last have a multiple of 4 channels */
export const gatherProgram = (readings: readonly Reading[], aligned: boolean): Program => ({
  key: `gather, ${readingKey(readings)}${aligned ? '' : ', by channel'}`,
  storage: [...readingStorage('source', readings), write('output')],
  uniforms: [...whole('count', 'pixels', 'vectors'), ...readingUniforms('source', readings)],
  declarations: readingFunction('source', readings) + (aligned ? '' : readingByChannelFunction('source', readings)),
  body: `
  if (id >= uniforms.count) { return; }
  let pixel = id / uniforms.vectors;
  output[id] = ${aligned ? 'sourceAt' : 'sourceByChannelAt'}(pixel / uniforms.pixels, pixel % uniforms.pixels, id % uniforms.vectors);`,
});

/** The LIF neuron over all steps, one thread for 32 channels of a pixel: their bits at each step. */
export function fireProgram(steps: number, reset: ResetMode, readings: readonly Reading[]): Program {
  return {
    key: `fire, ${steps} steps, ${reset}, ${readingKey(readings)}`,
    storage: [...readingStorage('source', readings), write('output', 'u32')],
    uniforms: [...whole('count', 'words', 'vectors', 'channels'), ...real('decay', 'threshold'), ...readingUniforms('source', readings)],
    declarations: readingFunction('source', readings),
    body: `
  if (id >= uniforms.count) { return; }
  let pixel = id / uniforms.words;
  let firstVector = (id % uniforms.words) * 8;
  ${repeated(steps, (t) => `var word${t} = 0u;`, ' ')}
  for (var v = 0; v < min(8, uniforms.vectors - firstVector); v++) {
    let existing = (1u << u32(clamp(uniforms.channels - (firstVector + v) * 4, 0, 4))) - 1u;
    var left = vec4f(0.0);
    ${repeated(steps, (t) => `{
      let membrane = left + sourceAt(${t}, pixel, firstVector + v);
      let spike = membrane > vec4f(uniforms.threshold);
      word${t} |= (dot(select(vec4u(0u), vec4u(1u, 2u, 4u, 8u), spike), vec4u(1u)) & existing) << u32(v * 4);
      left = uniforms.decay * ${reset === 'soft' ? 'select(membrane, membrane - uniforms.threshold, spike)' : 'select(membrane, vec4f(0.0), spike)'};
    }`)}
  }
  ${repeated(steps, (t) => `output[${t} * uniforms.count + id] = word${t};`)}`,
  };
}

/** The membranes of the same, for layers that are watched. */
export const membranesProgram = (soft: boolean): Program => ({
  key: `membranes, ${soft ? 'soft' : 'hard'}`,
  storage: [read('source'), write('output')],
  uniforms: [...whole('count', 'steps', 'sourceStep'), ...real('decay', 'threshold')],
  declarations: '',
  body: `
  if (id >= uniforms.count) { return; }
  var left = vec4f(0.0);
  for (var step = 0; step < uniforms.steps; step++) {
    let membrane = left + source[step * uniforms.sourceStep + id];
    output[step * uniforms.count + id] = membrane;
    let spike = membrane > vec4f(uniforms.threshold);
    left = uniforms.decay * ${soft ? 'select(membrane, membrane - uniforms.threshold, spike)' : 'select(membrane, vec4f(0.0), spike)'};
  }`,
});

export const leakySiluProgram: Program = {
  key: 'leaky SiLU',
  storage: [read('source'), write('output')],
  uniforms: [...whole('count', 'steps', 'sourceStep'), ...real('decay')],
  declarations: '',
  body: `
  if (id >= uniforms.count) { return; }
  var left = vec4f(0.0);
  for (var step = 0; step < uniforms.steps; step++) {
    let v = left + source[step * uniforms.sourceStep + id];
    let emitted = v / (1.0 + exp(-v));
    output[step * uniforms.count + id] = emitted;
    left = uniforms.decay * emitted * (1.0 - emitted);
  }`,
};

/** The integrate-and-fire neuron with reset by subtraction: how often each fires at each step, and the membranes after the last. */
export const integrateAndFireProgram: Program = {
  key: 'integrate and fire',
  storage: [read('source'), read('thresholds'), read('before'), write('output'), write('after')],
  uniforms: whole('count', 'steps', 'sourceStep', 'vectors', 'burst'),
  declarations: '',
  body: `
  if (id >= uniforms.count) { return; }
  let threshold = thresholds[id % uniforms.vectors];
  var membrane = before[id];
  for (var step = 0; step < uniforms.steps; step++) {
    membrane += source[step * uniforms.sourceStep + id];
    var spikes = vec4f(0.0);
    for (var spike = 0; spike < uniforms.burst; spike++) {
      let fired = membrane >= threshold;
      spikes += select(vec4f(0.0), vec4f(1.0), fired);
      membrane = select(membrane, membrane - threshold, fired);
    }
    output[step * uniforms.count + id] = spikes;
  }
  after[id] = membrane;`,
};

/** Bits that are also in a mask of one step. */
export const silenceBitsProgram: Program = {
  key: 'silence bits',
  storage: [read('source', 'u32'), read('mask', 'u32'), write('output', 'u32')],
  uniforms: whole('count', 'maskCount'),
  declarations: '',
  body: `
  if (id >= uniforms.count) { return; }
  output[id] = source[id] & mask[id % uniforms.maskCount];`,
};

/** Bits as vectors of zeros and ones. */
export const spreadProgram: Program = {
  key: 'spread',
  storage: [read('source', 'u32'), write('output')],
  uniforms: whole('count', 'words', 'vectors'),
  declarations: '',
  body: `
  if (id >= uniforms.count) { return; }
  let vector = id % uniforms.vectors;
  let word = source[(id / uniforms.vectors) * uniforms.words + vector / 8];
  let bits = (vec4u(word) >> (vec4u(0u, 1u, 2u, 3u) + u32(vector % 8) * 4u)) & vec4u(1u);
  output[id] = vec4f(bits);`,
};

/** How many bits are set at each step, of so many layers: one workgroup for each layer and step. */
export const countBitsProgram = (layers: number): Program => ({
  key: `count bits of ${layers} layers`,
  storage: [
    ...Array.from({ length: layers }, (_, layer) => read(`source${layer}`, 'u32')),
    ...Array.from({ length: layers }, (_, layer) => write(`output${layer}`)),
  ],
  uniforms: whole('steps', ...Array.from({ length: layers }, (_, layer) => `stepWords${layer}`)),
  declarations: `var<workgroup> partial : array<u32, ${workgroupThreads}>;`,
  body: `
  let layer = id / ${workgroupThreads} / uniforms.steps;
  let step = id / ${workgroupThreads} % uniforms.steps;
  var sum = 0u;
  ${repeated(layers, (layer) => `
  if (layer == ${layer}) {
    for (var word = i32(lane); word < uniforms.stepWords${layer}; word += ${workgroupThreads}) { sum += countOneBits(source${layer}[step * uniforms.stepWords${layer} + word]); }
  }`)}
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0u;
    for (var thread = 0u; thread < ${workgroupThreads}u; thread++) { total += partial[thread]; }
    ${repeated(layers, (layer) => `if (layer == ${layer}) { output${layer}[step] = vec4f(f32(total), 0.0, 0.0, 0.0); }`)}
  }`,
});

/** The sum of all values of each step: one workgroup a step. */
export const sumStepsProgram: Program = {
  key: 'sum of steps',
  storage: [read('source'), write('output')],
  uniforms: whole('stepVectors', 'steps'),
  declarations: `var<workgroup> partial : array<f32, ${workgroupThreads}>;`,
  body: `
  let step = id / ${workgroupThreads};
  var sum = vec4f(0.0);
  if (step < uniforms.steps) {
    for (var vector = i32(lane); vector < uniforms.stepVectors; vector += ${workgroupThreads}) { sum += source[step * uniforms.stepVectors + vector]; }
  }
  partial[lane] = dot(sum, vec4f(1.0));
  workgroupBarrier();
  if (lane == 0u && step < uniforms.steps) {
    var total = 0.0;
    for (var thread = 0u; thread < ${workgroupThreads}u; thread++) { total += partial[thread]; }
    output[step] = vec4f(total, 0.0, 0.0, 0.0);
  }`,
};
