import { read, repeated, whole, type StorageBinding, type UniformField } from './program';

/**
 * How a program reads a part of a signal, whose channels may lie in several buffers of other sides than its own: the largest value of a
 * window of `pool` x `pool` places, or every place `repeat` times along both sides. One of both is 1. What is pooled, upsampled or
 * concatenated is written by itself only where somebody needs it in one piece.
 */
export interface Reading {
  pool: number;
  repeat: number;
}

/** Programs are the same where this is. */
export function readingKey(readings: readonly Reading[]): string {
  return readings.map(({ pool, repeat }) => (pool > 1 ? `pooled by ${pool}` : repeat > 1 ? `repeated ${repeat} times` : 'plain')).join(' and ');
}

export function readingStorage(name: string, readings: readonly Reading[]): StorageBinding[] {
  return readings.map((_, index) => read(`${name}${index}`));
}

/** The signal's own width; of each part the width, the channels, and the vectors from one step to the next (0 where they are the same). */
export function readingUniforms(name: string, readings: readonly Reading[]): UniformField[] {
  return whole(`${name}Width`, ...readings.flatMap((_, index) => ['Width', 'Channels', 'Step'].map((field) => `${name}${index}${field}`)));
}

/** `NAMEAt(step, pixel, vector)`, 4 channels of the signal; all parts but the last have a multiple of 4. Cost: one read, or those of a window. */
export function readingFunction(name: string, readings: readonly Reading[]): string {
  const last = readings.length - 1;
  return `${readings.map((reading, index) => partFunction(name, index, reading)).join('')}
fn ${name}At(step : i32, pixel : i32, vector : i32) -> vec4f {
  var place = vector;
  ${repeated(last, (index) => `
  if (place < (uniforms.${name}${index}Channels + 3) / 4) { return ${name}${index}At(step, pixel, place); }
  place -= (uniforms.${name}${index}Channels + 3) / 4;`)}
  return ${name}${last}At(step, pixel, place);
}`;
}

/** The same, `NAMEByChannelAt`, of parts of any number of channels, beside it. Cost: the reads of each channel. */
export function readingByChannelFunction(name: string, readings: readonly Reading[]): string {
  return `
fn ${name}ChannelAt(step : i32, pixel : i32, channel : i32) -> f32 {
  var place = channel;
  ${repeated(readings.length, (index) => `
  if (place < uniforms.${name}${index}Channels) { return ${name}${index}At(step, pixel, place / 4)[place % 4]; }
  place -= uniforms.${name}${index}Channels;`)}
  return 0.0;
}
fn ${name}ByChannelAt(step : i32, pixel : i32, vector : i32) -> vec4f {
  return vec4f(${repeated(4, (channel) => `${name}ChannelAt(step, pixel, vector * 4 + ${channel})`, ', ')});
}`;
}

function partFunction(name: string, index: number, { pool, repeat }: Reading): string {
  const part = `${name}${index}`;
  const vectors = `((uniforms.${part}Channels + 3) / 4)`;
  const row = `pixel / uniforms.${name}Width`;
  const column = `pixel % uniforms.${name}Width`;
  const body =
    pool > 1
      ? `
  let corner = first + (${row} * uniforms.${part}Width + ${column}) * ${pool} * ${vectors};
  var largest = ${part}[corner];
  for (var dy = 0; dy < ${pool}; dy++) {
    for (var dx = 0; dx < ${pool}; dx++) { largest = max(largest, ${part}[corner + (dy * uniforms.${part}Width + dx) * ${vectors}]); }
  }
  return largest;`
      : `
  return ${part}[first + ${repeat > 1 ? `(${row} / ${repeat} * uniforms.${part}Width + ${column} / ${repeat})` : 'pixel'} * ${vectors}];`;
  return `
fn ${part}At(step : i32, pixel : i32, vector : i32) -> vec4f {
  let first = step * uniforms.${part}Step + vector;${body}
}`;
}
