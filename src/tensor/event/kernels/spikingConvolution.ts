/**
 * Convolutions of spikes, for all steps of a pixel at once. The cost follows the spikes: for every entry of a list under the kernel and 32
 * output channels, 8 vector loads and 8 vector additions.
 */
import { atMost16, fire16, realBits } from './neurons';
import { always, evenSteps, largest, largestEven, largestOdd, oddSteps, silentMasks, sumNow, sums, thread } from './scratch';
import { activeBytes, commonLists, upTo16 } from './spikes';

/** What becomes of sums: known when the kernels are compiled. */
// @ts-ignore: decorator
@inline
const asTheyAre: i32 = 0;
/** Something is added to them. */
// @ts-ignore: decorator
@inline
const withAddend: i32 = 1;
/** What is there already stays where it is larger. */
// @ts-ignore: decorator
@inline
const whereLarger: i32 = 2;

/**
 * Adds the weight rows on a list to what the sums start with, 32 output channels at a time, and writes them. What uses it is exported, as the ones
 * below, and has nothing but this, so that the accumulators stay in registers. No loop may be around it: V8 (Node 20) would unroll the one
 * inside and keep an accumulator in memory, 1.9 times the time for each entry.
 */
// @ts-ignore: decorator
@inline
function accumulate32(then: i32, list: usize, end: usize, weights: usize, start: usize, addend: usize, target: usize): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  let a2 = v128.load(start, 32);
  let a3 = v128.load(start, 48);
  let a4 = v128.load(start, 64);
  let a5 = v128.load(start, 80);
  let a6 = v128.load(start, 96);
  let a7 = v128.load(start, 112);
  for (; list < end; list += 2) {
    const w = weights + (<usize>load<u16>(list) << 7);
    a0 = f32x4.add(a0, v128.load(w));
    a1 = f32x4.add(a1, v128.load(w, 16));
    a2 = f32x4.add(a2, v128.load(w, 32));
    a3 = f32x4.add(a3, v128.load(w, 48));
    a4 = f32x4.add(a4, v128.load(w, 64));
    a5 = f32x4.add(a5, v128.load(w, 80));
    a6 = f32x4.add(a6, v128.load(w, 96));
    a7 = f32x4.add(a7, v128.load(w, 112));
  }
  if (then == withAddend) {
    v128.store(target, f32x4.add(a0, v128.load(addend)));
    v128.store(target, f32x4.add(a1, v128.load(addend, 16)), 16);
    v128.store(target, f32x4.add(a2, v128.load(addend, 32)), 32);
    v128.store(target, f32x4.add(a3, v128.load(addend, 48)), 48);
    v128.store(target, f32x4.add(a4, v128.load(addend, 64)), 64);
    v128.store(target, f32x4.add(a5, v128.load(addend, 80)), 80);
    v128.store(target, f32x4.add(a6, v128.load(addend, 96)), 96);
    v128.store(target, f32x4.add(a7, v128.load(addend, 112)), 112);
  } else if (then == whereLarger) {
    v128.store(target, f32x4.pmax(a0, v128.load(target)));
    v128.store(target, f32x4.pmax(a1, v128.load(target, 16)), 16);
    v128.store(target, f32x4.pmax(a2, v128.load(target, 32)), 32);
    v128.store(target, f32x4.pmax(a3, v128.load(target, 48)), 48);
    v128.store(target, f32x4.pmax(a4, v128.load(target, 64)), 64);
    v128.store(target, f32x4.pmax(a5, v128.load(target, 80)), 80);
    v128.store(target, f32x4.pmax(a6, v128.load(target, 96)), 96);
    v128.store(target, f32x4.pmax(a7, v128.load(target, 112)), 112);
  } else {
    v128.store(target, a0);
    v128.store(target, a1, 16);
    v128.store(target, a2, 32);
    v128.store(target, a3, 48);
    v128.store(target, a4, 64);
    v128.store(target, a5, 80);
    v128.store(target, a6, 96);
    v128.store(target, a7, 112);
  }
}

export function sum32(list: usize, end: usize, weights: usize, start: usize, target: usize): void {
  accumulate32(asTheyAre, list, end, weights, start, 0, target);
}

export function sumLarger32(list: usize, end: usize, weights: usize, start: usize, target: usize): void {
  accumulate32(whereLarger, list, end, weights, start, 0, target);
}

/**
 * The lists at `cursor` of an even step and of the odd one behind it, on top of what steps of each kind have in common. One call for two, since most
 * lists hold so little that a call costs more than what is on them.
 */
// @ts-ignore: decorator
@inline
function accumulatePair32(
  then: i32, cursor: usize, weights: usize, even: usize, odd: usize, addend: usize, addendStepBytes: usize, target: usize, targetStepBytes: usize,
): void {
  accumulate32(then, load<u32>(cursor), load<u32>(cursor + untilBytes), weights, even, addend, target);
  accumulate32(then, load<u32>(cursor, 4), load<u32>(cursor + untilBytes, 4), weights, odd, addend + addendStepBytes, target + targetStepBytes);
}

export function sumPair32(cursor: usize, weights: usize, even: usize, odd: usize, target: usize, targetStepBytes: usize): void {
  accumulatePair32(asTheyAre, cursor, weights, even, odd, 0, 0, target, targetStepBytes);
}

export function sumPairAdded32(
  cursor: usize, weights: usize, even: usize, odd: usize, addend: usize, addendStepBytes: usize, target: usize, targetStepBytes: usize,
): void {
  accumulatePair32(withAddend, cursor, weights, even, odd, addend, addendStepBytes, target, targetStepBytes);
}

export function sumPairLarger32(cursor: usize, weights: usize, even: usize, odd: usize, target: usize, targetStepBytes: usize): void {
  accumulatePair32(whereLarger, cursor, weights, even, odd, 0, 0, target, targetStepBytes);
}

export function sum16(list: usize, end: usize, weights: usize, start: usize, target: usize): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  let a2 = v128.load(start, 32);
  let a3 = v128.load(start, 48);
  for (; list < end; list += 2) {
    const w = weights + (<usize>load<u16>(list) << 6);
    a0 = f32x4.add(a0, v128.load(w));
    a1 = f32x4.add(a1, v128.load(w, 16));
    a2 = f32x4.add(a2, v128.load(w, 32));
    a3 = f32x4.add(a3, v128.load(w, 48));
  }
  v128.store(target, a0);
  v128.store(target, a1, 16);
  v128.store(target, a2, 32);
  v128.store(target, a3, 48);
}

export function sum8(list: usize, end: usize, weights: usize, start: usize, target: usize): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  for (; list < end; list += 2) {
    const w = weights + (<usize>load<u16>(list) << 5);
    a0 = f32x4.add(a0, v128.load(w));
    a1 = f32x4.add(a1, v128.load(w, 16));
  }
  v128.store(target, a0);
  v128.store(target, a1, 16);
}

// @ts-ignore: decorator
@inline
function sum(block: i32, list: usize, end: usize, weights: usize, start: usize, target: usize): void {
  if (block == 32) sum32(list, end, weights, start, target);
  else if (block == 16) sum16(list, end, weights, start, target);
  else sum8(list, end, weights, start, target);
}

/** The sums of a pixel's list. @param before not 0 where the target has those of other pixels of a window: then the larger ones are kept */
// @ts-ignore: decorator
@inline
function sumKept(block: i32, cursor: usize, weights: usize, start: usize, target: usize, before: i32): void {
  const list: usize = load<u32>(cursor);
  const end: usize = load<u32>(cursor + untilBytes);
  if (before == 0) sum(block, list, end, weights, start, target);
  else if (block == 32) sumLarger32(list, end, weights, start, target);
  else {
    if (list != end) {
      sum(block, list, end, weights, start, sumNow);
      start = sumNow;
    }
    keepLarger(start, target, <usize>block << 2);
  }
}

/** The same for each step, on top of what even steps and odd ones have in common. */
// @ts-ignore: decorator
@inline
function sumSteps(
  block: i32, cursor: usize, weights: usize, even: usize, odd: usize, target: usize, targetStepBytes: usize, steps: i32, before: i32,
): void {
  let step = 0;
  if (block == 32) {
    for (; step < steps - 1; step += 2) {
      if (before == 0) sumPair32(cursor, weights, even, odd, target, targetStepBytes);
      else sumPairLarger32(cursor, weights, even, odd, target, targetStepBytes);
      cursor += 8;
      target += targetStepBytes << 1;
    }
  }
  for (; step < steps; step++) {
    sumKept(block, cursor, weights, step & 1 ? odd : even, target, before);
    cursor += 4;
    target += targetStepBytes;
  }
}

/** Writes the same sums of 32 channels at every step. */
function repeat32(source: usize, target: usize, targetStepBytes: usize, steps: i32): void {
  const a0 = v128.load(source);
  const a1 = v128.load(source, 16);
  const a2 = v128.load(source, 32);
  const a3 = v128.load(source, 48);
  const a4 = v128.load(source, 64);
  const a5 = v128.load(source, 80);
  const a6 = v128.load(source, 96);
  const a7 = v128.load(source, 112);
  for (; steps > 0; steps--) {
    v128.store(target, a0);
    v128.store(target, a1, 16);
    v128.store(target, a2, 32);
    v128.store(target, a3, 48);
    v128.store(target, a4, 64);
    v128.store(target, a5, 80);
    v128.store(target, a6, 96);
    v128.store(target, a7, 112);
    target += targetStepBytes;
  }
}

/** The same with something added at each. */
function repeatAdded32(source: usize, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, steps: i32): void {
  const a0 = v128.load(source);
  const a1 = v128.load(source, 16);
  const a2 = v128.load(source, 32);
  const a3 = v128.load(source, 48);
  const a4 = v128.load(source, 64);
  const a5 = v128.load(source, 80);
  const a6 = v128.load(source, 96);
  const a7 = v128.load(source, 112);
  for (; steps > 0; steps--) {
    v128.store(target, f32x4.add(a0, v128.load(addend)));
    v128.store(target, f32x4.add(a1, v128.load(addend, 16)), 16);
    v128.store(target, f32x4.add(a2, v128.load(addend, 32)), 32);
    v128.store(target, f32x4.add(a3, v128.load(addend, 48)), 48);
    v128.store(target, f32x4.add(a4, v128.load(addend, 64)), 64);
    v128.store(target, f32x4.add(a5, v128.load(addend, 80)), 80);
    v128.store(target, f32x4.add(a6, v128.load(addend, 96)), 96);
    v128.store(target, f32x4.add(a7, v128.load(addend, 112)), 112);
    addend += addendStepBytes;
    target += targetStepBytes;
  }
}

/** The same for 16 channels. */
function repeat16(source: usize, target: usize, targetStepBytes: usize, steps: i32): void {
  const a0 = v128.load(source);
  const a1 = v128.load(source, 16);
  const a2 = v128.load(source, 32);
  const a3 = v128.load(source, 48);
  for (; steps > 0; steps--) {
    v128.store(target, a0);
    v128.store(target, a1, 16);
    v128.store(target, a2, 32);
    v128.store(target, a3, 48);
    target += targetStepBytes;
  }
}

/** Writes the same sums at every step. */
// @ts-ignore: decorator
@inline
function repeat(source: usize, vectors: i32, target: usize, targetStepBytes: usize, steps: i32): void {
  if (vectors == 8) repeat32(source, target, targetStepBytes, steps);
  else if (vectors == 4) repeat16(source, target, targetStepBytes, steps);
  else repeatVectors(source, vectors, target, targetStepBytes, 0, 0, steps);
}

/** The same with something added at each, unless it is at 0. */
function repeatAdded(source: usize, vectors: i32, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, steps: i32): void {
  if (addend == 0) repeat(source, vectors, target, targetStepBytes, steps);
  else if (vectors == 8) repeatAdded32(source, target, targetStepBytes, addend, addendStepBytes, steps);
  else repeatVectors(source, vectors, target, targetStepBytes, addend, addendStepBytes, steps);
}

/** The same for any number of channels. @param addend 0, or what is added */
function repeatVectors(source: usize, vectors: i32, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, steps: i32): void {
  const bytes = <usize>vectors << 4;
  for (; steps > 0; steps--) {
    for (let at: usize = 0; at < bytes; at += 16) {
      let value = v128.load(source + at);
      if (addend != 0) value = f32x4.add(value, v128.load(addend + at));
      v128.store(target + at, value);
    }
    target += targetStepBytes;
    addend += addend == 0 ? 0 : addendStepBytes;
  }
}

/** Writes the sums of even steps and of odd ones, which may be the same. */
// @ts-ignore: decorator
@inline
function alternate(even: usize, odd: usize, vectors: i32, target: usize, targetStepBytes: usize, steps: i32): void {
  if (even == odd) {
    repeat(even, vectors, target, targetStepBytes, steps);
    return;
  }
  repeat(even, vectors, target, targetStepBytes << 1, (steps + 1) >> 1);
  repeat(odd, vectors, target + targetStepBytes, targetStepBytes << 1, steps >> 1);
}

/** The same with something added at each step, unless it is at 0. */
function alternateAdded(
  even: usize, odd: usize, vectors: i32, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, steps: i32,
): void {
  if (even == odd) {
    repeatAdded(even, vectors, target, targetStepBytes, addend, addendStepBytes, steps);
    return;
  }
  repeatAdded(even, vectors, target, targetStepBytes << 1, addend, addendStepBytes << 1, (steps + 1) >> 1);
  const later: usize = addend == 0 ? 0 : addend + addendStepBytes;
  repeatAdded(odd, vectors, target + targetStepBytes, targetStepBytes << 1, later, addendStepBytes << 1, steps >> 1);
}

/** Keeps the larger of two. */
function keepLarger(source: usize, target: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) v128.store(target + at, f32x4.pmax(v128.load(source + at), v128.load(target + at)));
}

/** {@link sumSteps} of 32 channels with something added. */
// @ts-ignore: decorator
@inline
function sumStepsAdded(
  cursor: usize, weights: usize, even: usize, odd: usize, addend: usize, addendStepBytes: usize, target: usize, targetStepBytes: usize, steps: i32,
): void {
  for (; steps > 1; steps -= 2) {
    sumPairAdded32(cursor, weights, even, odd, addend, addendStepBytes, target, targetStepBytes);
    cursor += 8;
    addend += addendStepBytes << 1;
    target += targetStepBytes << 1;
  }
  if (steps == 1) {
    sum32(load<u32>(cursor), load<u32>(cursor + untilBytes), weights, even, sumNow);
    repeatAdded(sumNow, 8, target, 0, addend, 0, 1);
  }
}

/** Copies a run of a list, 16 entries at a time, as numbers of weight rows. */
// @ts-ignore: decorator
@inline
function copyRun(from: usize, until: usize, to: usize, offset: v128): void {
  // The first 16 without asking how many there are: a wrong guess of the processor would cost more.
  v128.store(to, i16x8.add(v128.load(from), offset));
  v128.store(to, i16x8.add(v128.load(from, 16), offset), 16);
  while (until - from > 32) {
    from += 32;
    to += 32;
    v128.store(to, i16x8.add(v128.load(from), offset));
    v128.store(to, i16x8.add(v128.load(from, 16), offset), 16);
  }
}

/**
 * Gathers the numbers of the weight rows under the kernel, list by list, for `pixels` next to each other in a row of the output.
 * @param top and left of the first one's kernel, which may reach over the border
 * @param endsAt where the end of each list goes, `u32[pixels][lists]`; written up to 16 bytes past the last
 * @returns the end of the last list
 */
function gather(
  starts: usize, startBytes: usize, inputHeight: i32, inputWidth: i32, inputChannels: i32, kernel: i32, stride: i32,
  top: i32, left: i32, pixels: i32, end: usize, endsAt: usize,
): usize {
  const firstY = max(0, top);
  const rows = min(top + kernel, inputHeight) - firstY;
  const rowStartBytes = <usize>(inputWidth + 1) * startBytes;
  const line = starts + <usize>firstY * rowStartBytes;
  // What is behind the last list belongs to the next pixel.
  const lastGroup = (startBytes - 1) & ~15;
  const ofLastGroup = v128.load(upTo16 + 16 - (startBytes - lastGroup));
  const rowOffset = i16x8.splat(<i16>(kernel * inputChannels));
  const firstOffset = ((firstY - top) * kernel - left) * inputChannels;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const x = pixel * stride;
    const firstX = max(0, left + x);
    const corner = line + <usize>firstX * startBytes;
    const runBytes = <usize>(min(left + x + kernel, inputWidth) - firstX) * startBytes;
    const pixelOffset = i16x8.splat(<i16>(firstOffset - x * inputChannels));
    for (let group: usize = 0; group < startBytes; group += 16) {
      let start = corner + group;
      let bytes = i32x4.sub(v128.load(start + runBytes), v128.load(start));
      for (let row = 1; row < rows; row++) {
        start += rowStartBytes;
        bytes = i32x4.add(bytes, i32x4.sub(v128.load(start + runBytes), v128.load(start)));
      }
      if (group == lastGroup) bytes = v128.and(bytes, ofLastGroup);
      // Every list ends where all before it do and its own entries: no branch asks whether it has any.
      let until = i32x4.add(bytes, v128.shuffle<i32>(i32x4.splat(0), bytes, 0, 4, 5, 6));
      until = i32x4.add(until, v128.shuffle<i32>(i32x4.splat(0), until, 0, 0, 4, 5));
      until = i32x4.add(until, i32x4.splat(<i32>end));
      v128.store(endsAt + group, until);
      for (let filled = i32x4.bitmask(i32x4.neg(bytes)); filled != 0; filled &= filled - 1) {
        const list = <usize>ctz(filled) << 2;
        let to: usize = load<u32>(endsAt + group + list - 4);
        let from = corner + group + list;
        let offset = pixelOffset;
        for (let row = 0; row < rows; row++) {
          const first: usize = load<u32>(from);
          const last: usize = load<u32>(from + runBytes);
          copyRun(first, last, to, offset);
          to += last - first;
          offset = i16x8.add(offset, rowOffset);
          from += rowStartBytes;
        }
      }
      end = <usize>i32x4.extract_lane(until, 3);
    }
    endsAt += startBytes;
  }
  return end;
}

/**
 * How the lists of pixels lie that a block of output channels walks. Gathered, they follow each other, and a list ends where the next begins;
 * for a kernel of 1 they are read where they are, row after row of the input. Set by the convolution for all functions below.
 */
/** From where a list begins to where it ends. */
let untilBytes: usize = 0;
/** From a pixel's lists to the next one's. */
let pixelBytes: usize = 0;
/** From the lists of the last pixel of a window's row to the first of the next row. */
let rowBytes: usize = 0;
/** From the lists of a window's first pixel to those of the next window. */
let windowBytes: usize = 0;
/** What is read as 0 at a pixel is this at the next one. */
let pixelEntries: usize = 0;
/** A run: silent windows, windows that spikes reach, where the lists of the first of these are, and which entry is 0 there. */
const runBytes: usize = 16;

/** The LIF neuron behind the convolution, and how its bits lie. Set by the convolution as well. */
let decay: f32 = 0;
let threshold: f32 = 0;
let softReset: i32 = 0;
/** Where few fire: currents that never make one fire, if they are no more at any step. Not asked where it is minus infinity. */
let quiet: f32 = -Infinity;
let maskStepBytes: usize = 0;
let maskPixelBytes: usize = 0;

/** Where the sums of what several steps have in common are: made only where something is on the list. */
// @ts-ignore: decorator
@inline
function common(block: i32, cursor: usize, weights: usize, start: usize, sums: usize): usize {
  const list: usize = load<u32>(cursor);
  const end: usize = load<u32>(cursor + untilBytes);
  if (list == end) return start;
  sum(block, list, end, weights, start, sums);
  return sums;
}

/**
 * Which of a pixel's lists have anything on them, a bit for each: those that steps have in common first.
 * @param real the bits of lists that exist. What lists from the 32nd on have shares the last one, which may be set where they have nothing
 */
// @ts-ignore: decorator
@inline
function filledLists(cursor: usize, listBytes: usize, real: i32): i32 {
  let filled = i32x4.bitmask(i32x4.ne(v128.load(cursor), v128.load(cursor + untilBytes)));
  for (let list: usize = 16; list < listBytes; list += 16) {
    const bits = i32x4.bitmask(i32x4.ne(v128.load(cursor + list), v128.load(cursor + list + untilBytes)));
    filled |= list < 128 ? bits << <i32>(list >> 2) : bits == 0 ? 0 : 1 << 31;
  }
  return filled & real;
}

/** The bits of {@link filledLists} that exist. */
// @ts-ignore: decorator
@inline
function realLists(lists: i32): i32 {
  return lists >= 32 ? -1 : (1 << lists) - 1;
}

/** The neurons of a pixel's block of at most 32 channels. @param currents of the first step; `stepBytes` 0 where they are the same at every step */
// @ts-ignore: decorator
@inline
function firePixel(currents: usize, stepBytes: usize, steps: i32, mask: usize, realLow: i32, realHigh: i32): void {
  fireOrRest16(currents, stepBytes, steps, mask, realLow);
  if (realHigh != 0) fireOrRest16(currents + 64, stepBytes, steps, mask + 2, realHigh);
}

// @ts-ignore: decorator
@inline
function fireOrRest16(currents: usize, stepBytes: usize, steps: i32, mask: usize, real: i32): void {
  if (quiet == -Infinity || !atMost16(currents, stepBytes, steps, quiet)) {
    fire16(currents, stepBytes, steps, decay, threshold, softReset, mask, maskStepBytes, real);
  }
}

/**
 * What a pixel gets that no spike reaches, added to what is there, for 16 neurons that are asked as it is written. Their bits are 0 before.
 * Cost per neuron and step: a read, an addition, a comparison and a write.
 */
// @ts-ignore: decorator
@inline
function restAndAsk16(bias: usize, steps: i32, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, mask: usize, real: i32): void {
  const b0 = v128.load(bias);
  const b1 = v128.load(bias, 16);
  const b2 = v128.load(bias, 32);
  const b3 = v128.load(bias, 48);
  const most = f32x4.splat(quiet);
  let above = i32x4.splat(0);
  let to = target;
  for (let step = 0; step < steps; step++) {
    const x0 = f32x4.add(b0, v128.load(addend));
    const x1 = f32x4.add(b1, v128.load(addend, 16));
    const x2 = f32x4.add(b2, v128.load(addend, 32));
    const x3 = f32x4.add(b3, v128.load(addend, 48));
    v128.store(to, x0);
    v128.store(to, x1, 16);
    v128.store(to, x2, 32);
    v128.store(to, x3, 48);
    above = v128.or(above, v128.or(v128.or(f32x4.gt(x0, most), f32x4.gt(x1, most)), v128.or(f32x4.gt(x2, most), f32x4.gt(x3, most))));
    to += targetStepBytes;
    addend += addendStepBytes;
  }
  if (v128.any_true(above)) fire16(target, targetStepBytes, steps, decay, threshold, softReset, mask, maskStepBytes, real);
}

/** The same for a run of pixels and a block of channels. */
function restAndAsk(
  bias: usize, pixels: i32, steps: i32, target: usize, targetStepBytes: usize, targetPixelBytes: usize,
  addend: usize, addendStepBytes: usize, addendPixelBytes: usize, mask: usize, realLow: i32, realHigh: i32,
): void {
  for (; pixels > 0; pixels--) {
    restAndAsk16(bias, steps, target, targetStepBytes, addend, addendStepBytes, mask, realLow);
    if (realHigh != 0) restAndAsk16(bias + 64, steps, target + 64, targetStepBytes, addend + 64, addendStepBytes, mask + 2, realHigh);
    target += targetPixelBytes;
    addend += addendPixelBytes;
    mask += maskPixelBytes;
  }
}

/**
 * A block of output channels for the pixels of some runs, written where they belong.
 * @param masks 0, or where the bits of the neurons go that read what is written
 */
function storeBlock(
  run: usize, runsEnd: usize, steps: i32, block: i32, channels: i32, vectors: i32, weights: usize, bias: usize,
  target: usize, targetStepBytes: usize, targetPixelBytes: usize, addend: usize, addendStepBytes: usize, addendPixelBytes: usize, masks: usize,
): void {
  const rowSize = <usize>block << 2;
  const realLow = realBits(0, channels);
  const realHigh = channels > 16 ? realBits(16, channels) : 0;
  const asked = masks != 0 && addend != 0 && quiet != -Infinity && (vectors & 3) == 0;
  for (; run < runsEnd; run += runBytes) {
    const silent = load<i32>(run);
    if (silent != 0 && asked) {
      restAndAsk(
        bias, silent, steps, target, targetStepBytes, targetPixelBytes, addend, addendStepBytes, addendPixelBytes, masks, realLow, realHigh,
      );
    } else if (silent != 0) {
      let to = target;
      let added = addend;
      for (let step = 0; step < steps; step++) {
        // What are steps elsewhere are pixels here.
        repeatAdded(bias, vectors, to, targetPixelBytes, added, addendPixelBytes, silent);
        to += targetStepBytes;
        added += addendStepBytes;
      }
      if (masks != 0) {
        for (let pixel: usize = 0; pixel < <usize>silent; pixel++) {
          firePixel(target + pixel * targetPixelBytes, targetStepBytes, steps, masks + pixel * maskPixelBytes, realLow, realHigh);
        }
      }
    }
    target += <usize>silent * targetPixelBytes;
    addend += <usize>silent * addendPixelBytes;
    if (masks != 0) masks += <usize>silent * maskPixelBytes;
    const pixels = load<i32>(run, 4);
    storePixels(
      load<u32>(run, 8), pixels, steps, block, vectors, weights - <usize>load<u32>(run, 12) * rowSize, bias,
      target, targetStepBytes, targetPixelBytes, addend, addendStepBytes, addendPixelBytes, masks, realLow, realHigh,
    );
    target += <usize>pixels * targetPixelBytes;
    addend += <usize>pixels * addendPixelBytes;
    if (masks != 0) masks += <usize>pixels * maskPixelBytes;
  }
}

/** The pixels of a run that spikes reach. */
function storePixels(
  first: usize, pixels: i32, steps: i32, block: i32, vectors: i32, weights: usize, bias: usize,
  target: usize, targetStepBytes: usize, targetPixelBytes: usize, addend: usize, addendStepBytes: usize, addendPixelBytes: usize,
  masks: usize, realLow: i32, realHigh: i32,
): void {
  const commons = commonLists(steps);
  const listBytes = <usize>(commons + steps) << 2;
  const real = realLists(commons + steps);
  const inCommon = (1 << commons) - 1;
  const direct = vectors << 2 == block && (addend == 0 || block == 32);
  const weightBytes = pixelEntries * (<usize>block << 2);
  for (; pixels > 0; pixels--) {
    let cursor = first;
    first += windowBytes;
    let to = target;
    let added = addend;
    target += targetPixelBytes;
    addend += addendPixelBytes;
    const filled = filledLists(cursor, listBytes, real);
    let even = bias;
    let odd = bias;
    if (commons != 0) {
      even = common(block, cursor, weights, bias, always);
      odd = even;
      if (commons == 3 && (filled & 6) != 0) {
        even = common(block, cursor + 4, weights, odd, evenSteps);
        odd = common(block, cursor + 8, weights, odd, oddSteps);
      }
    }
    if ((filled & ~inCommon) == 0) {
      alternateAdded(even, odd, vectors, to, targetStepBytes, added, addendStepBytes, steps);
    } else {
      cursor += <usize>commons << 2;
      if (direct && addend == 0) sumSteps(block, cursor, weights, even, odd, to, targetStepBytes, steps, 0);
      else if (direct) sumStepsAdded(cursor, weights, even, odd, added, addendStepBytes, to, targetStepBytes, steps);
      else {
        sumSteps(block, cursor, weights, even, odd, sums, 128, steps, 0);
        for (let step: usize = 0; step < <usize>steps; step++) {
          repeatAdded(sums + (step << 7), vectors, to, 0, added, 0, 1);
          to += targetStepBytes;
          added += addendStepBytes;
        }
      }
    }
    if (masks != 0) {
      firePixel(target - targetPixelBytes, targetStepBytes, steps, masks, realLow, realHigh);
      masks += maskPixelBytes;
    }
    weights -= weightBytes;
  }
}

/** The same, but the largest of each window of `pool` times `pool` pixels. */
function poolBlock(
  run: usize, runsEnd: usize, pool: i32, steps: i32, block: i32, vectors: i32, weights: usize, bias: usize,
  target: usize, targetStepBytes: usize, targetPixelBytes: usize,
): void {
  const rowSize = <usize>block << 2;
  for (; run < runsEnd; run += runBytes) {
    const silent = load<i32>(run);
    if (silent != 0) {
      let to = target;
      for (let step = 0; step < steps; step++, to += targetStepBytes) repeat(bias, vectors, to, targetPixelBytes, silent);
      target += <usize>silent * targetPixelBytes;
    }
    const windows = load<i32>(run, 4);
    poolWindows(
      load<u32>(run, 8), windows, pool, steps, block, vectors, weights - <usize>load<u32>(run, 12) * rowSize, bias, target, targetStepBytes, targetPixelBytes,
    );
    target += <usize>windows * targetPixelBytes;
  }
}

/** The windows of a run that spikes reach. */
function poolWindows(
  first: usize, windows: i32, pool: i32, steps: i32, block: i32, vectors: i32, weights: usize, bias: usize,
  target: usize, targetStepBytes: usize, targetPixelBytes: usize,
): void {
  const commons = commonLists(steps);
  const listBytes = <usize>(commons + steps) << 2;
  const real = realLists(commons + steps);
  const inCommon = (1 << commons) - 1;
  const bytes = <usize>vectors << 4;
  const weightBytes = pixelEntries * (<usize>block << 2);
  // What is kept of each step lies where the result goes, unless a whole block would reach over it.
  const inPlace = vectors << 2 == block;
  const keptBytes: usize = inPlace ? targetStepBytes : 128;
  for (; windows > 0; windows--) {
    const to = target;
    const keptFirst = inPlace ? to : sums;
    target += targetPixelBytes;
    let pixel = first;
    first += windowBytes;
    // Pixels that are the same at every step are compared once, those that are the same at every other step twice.
    let resting = 0;
    let still = 0;
    let alternating = 0;
    let moving = 0;
    for (let dy = 0; dy < pool; dy++) {
      let pixelWeights = weights;
      for (let dx = 0; dx < pool; dx++) {
        let cursor = pixel;
        pixel += pixelBytes;
        const filled = filledLists(cursor, listBytes, real);
        if (filled == 0) {
          resting++;
        } else if (filled == (inCommon & 1)) {
          sumKept(block, cursor, pixelWeights, bias, largest, still);
          still++;
        } else {
          const start = commons == 0 ? bias : common(block, cursor, pixelWeights, bias, always);
          if ((filled & ~inCommon) == 0) {
            sumKept(block, cursor + 4, pixelWeights, start, largestEven, alternating);
            sumKept(block, cursor + 8, pixelWeights, start, largestOdd, alternating);
            alternating++;
          } else {
            const even = commons < 3 ? start : common(block, cursor + 4, pixelWeights, start, evenSteps);
            const odd = commons < 3 ? start : common(block, cursor + 8, pixelWeights, start, oddSteps);
            cursor += <usize>commons << 2;
            sumSteps(block, cursor, pixelWeights, even, odd, keptFirst, keptBytes, steps, moving);
            moving++;
          }
        }
        pixelWeights -= weightBytes;
      }
      pixel += rowBytes;
    }
    weights -= weightBytes * <usize>pool;
    let even = largest;
    if (still == 0) even = bias;
    else if (resting > 0) keepLarger(bias, largest, bytes);
    let odd = even;
    if (alternating > 0) {
      if (still + resting > 0) {
        keepLarger(even, largestEven, bytes);
        keepLarger(odd, largestOdd, bytes);
      }
      even = largestEven;
      odd = largestOdd;
    }
    if (moving == 0) {
      alternate(even, odd, vectors, to, targetStepBytes, steps);
      continue;
    }
    let kept = keptFirst;
    let stepTo = to;
    for (let step = 0; step < steps; step++) {
      if (still + resting + alternating > 0) keepLarger(step & 1 ? odd : even, kept, bytes);
      if (!inPlace) repeat(kept, vectors, stepTo, 0, 1);
      kept += keptBytes;
      stepTo += targetStepBytes;
    }
  }
}

/** The same as {@link storeBlock}, but only the bits of the LIF neuron are kept, of which all are 0 before. `channels` of the block, at most 32. */
function fireBlock(
  run: usize, runsEnd: usize, steps: i32, block: i32, channels: i32, weights: usize, bias: usize, masks: usize,
): void {
  const rowSize = <usize>block << 2;
  const realLow = realBits(0, channels);
  const realHigh = channels > 16 ? realBits(16, channels) : 0;
  fire16(bias, 0, steps, decay, threshold, softReset, silentMasks, 4, realLow);
  if (realHigh != 0) fire16(bias + 64, 0, steps, decay, threshold, softReset, silentMasks + 2, 4, realHigh);
  let firesInSilence = 0;
  for (let step: usize = 0; step < <usize>steps; step++) {
    firesInSilence |= <i32>load<u16>(silentMasks + (step << 2));
    if (realHigh != 0) firesInSilence |= <i32>load<u16>(silentMasks + (step << 2), 2);
  }
  for (; run < runsEnd; run += runBytes) {
    const silent = load<i32>(run);
    if (firesInSilence != 0) repeatMasks(silent, steps, masks, realHigh != 0);
    masks += <usize>silent * maskPixelBytes;
    const pixels = load<i32>(run, 4);
    firePixels(
      load<u32>(run, 8), pixels, steps, block, weights - <usize>load<u32>(run, 12) * rowSize, bias, masks, realLow, realHigh,
    );
    masks += <usize>pixels * maskPixelBytes;
  }
}

/** What neurons do that no spike reaches. */
function repeatMasks(pixels: i32, steps: i32, masks: usize, wide: bool): void {
  for (; pixels > 0; pixels--) {
    let mask = masks;
    for (let step: usize = 0; step < <usize>steps; step++) {
      store<u16>(mask, load<u16>(silentMasks + (step << 2)));
      if (wide) store<u16>(mask, load<u16>(silentMasks + (step << 2), 2), 2);
      mask += maskStepBytes;
    }
    masks += maskPixelBytes;
  }
}

/** The pixels of a run that spikes reach. */
function firePixels(
  first: usize, pixels: i32, steps: i32, block: i32, weights: usize, bias: usize, masks: usize, realLow: i32, realHigh: i32,
): void {
  const commons = commonLists(steps);
  const listBytes = <usize>(commons + steps) << 2;
  const real = realLists(commons + steps);
  const inCommon = (1 << commons) - 1;
  const weightBytes = pixelEntries * (<usize>block << 2);
  for (; pixels > 0; pixels--) {
    let cursor = first;
    first += windowBytes;
    let sumsAt = sums;
    let sumBytes: usize = 128;
    const filled = filledLists(cursor, listBytes, real);
    let even = bias;
    let odd = bias;
    if (commons != 0) {
      even = common(block, cursor, weights, bias, always);
      odd = even;
      if (commons == 3 && (filled & 6) != 0) {
        even = common(block, cursor + 4, weights, odd, evenSteps);
        odd = common(block, cursor + 8, weights, odd, oddSteps);
      }
    }
    if ((filled & ~inCommon) != 0) {
      sumSteps(block, cursor + (<usize>commons << 2), weights, even, odd, sums, 128, steps, 0);
    } else if (even == odd) {
      sumsAt = even;
      sumBytes = 0;
    } else {
      alternate(even, odd, block >> 2, sums, 128, steps);
    }
    firePixel(sumsAt, sumBytes, steps, masks, realLow, realHigh);
    weights -= weightBytes;
    masks += maskPixelBytes;
  }
}

/**
 * Marks the windows of a row of the output that spikes reach: for a window, the pixels of `reach` rows and as many columns. Cost: for
 * 16 columns `2 reach` vector reads.
 * @param top first row, which may lie over the border
 * @param line and marked scratch, `inputWidth + 2 padding + reach + 32` each
 */
function markReached(active: usize, inputHeight: i32, inputWidth: i32, reach: i32, padding: i32, top: i32, line: usize, marked: usize): void {
  const rowBytes = activeBytes(inputWidth);
  const columns = <usize>(inputWidth + 2 * padding);
  const firstY = max(0, top);
  const rows = min(top + reach, inputHeight) - firstY;
  const first = active + <usize>firstY * rowBytes;
  memory.fill(line, 0, columns + <usize>reach + 32);
  for (let at: usize = 0; at < rowBytes; at += 16) {
    let any = v128.load(first + at);
    for (let row = 1; row < rows; row++) any = v128.or(any, v128.load(first + at + <usize>row * rowBytes));
    v128.store(line + <usize>padding + at, any);
  }
  for (let at: usize = 0; at < columns; at += 16) {
    let any = v128.load(line + at);
    for (let column = 1; column < reach; column++) any = v128.or(any, v128.load(line + at + <usize>column));
    v128.store(marked + at, any);
  }
}

/**
 * A convolution of spikes, alone or with what comes behind it: max pooling, or an addition, or the LIF neuron, or both of these.
 *
 * Windows (of pooling; without it, pixels) are taken in chunks. First come the runs of windows that no spike reaches, which get the bias at
 * every step, and of those that spikes reach. For these the numbers of the weight rows under the kernel of each pixel are gathered, list by
 * list; then every block of output channels walks them: what fires at every step is added once, and every step goes on from there.
 * @param starts of the lists, and `active` (spikes.ts)
 * @param height and width of the convolution's output, before pooling
 * @param pool side of the pooling window, 1 for none; with more there is no addend and no neuron
 * @param weights blocks of 32, then 16, then 8 output channels, each `[kernel row, kernel column, input channel, block]`
 * @param channels of the output
 * @param target `[steps, windows, targetPixelBytes]`, or 0 where only the neurons' bits are wanted
 * @param addend 0, or features added to the result; `addendStepBytes` 0 where they are the same at every step
 * @param masks 0, or where the bits of the LIF neuron go, `u16[steps][pixels][channels / 16 rounded up]`
 * @param neuronQuiet where few neurons are expected to fire: currents that never make one fire; else minus infinity
 * @param first and last row of windows, the latter not included
 * @param rowsCapacity how many numbers of weight rows may be gathered at a time; `mostRows` is what one window gathers at most
 * @param scratch `scratchBytes` for each thread: `4 (chunkPixels lists + 5)`, `16 (chunkPixels + 2)`, twice
 * `inputWidth + 2 padding + kernel + stride pool + 32`, and `2 (rowsCapacity + 32)`
 */
export function spikingConvolution(
  first: i32, last: i32, starts: usize, active: usize, steps: i32, inputHeight: i32, inputWidth: i32, inputChannels: i32,
  kernel: i32, stride: i32, padding: i32, height: i32, width: i32, pool: i32,
  weights: usize, bias: usize, channels: i32, target: usize, targetPixelBytes: usize,
  addend: usize, addendStepBytes: usize, addendPixelBytes: usize,
  masks: usize, neuronDecay: f32, neuronThreshold: f32, neuronSoftReset: i32, neuronQuiet: f32,
  rowsCapacity: i32, mostRows: i32, chunkPixels: i32, scratch: usize, scratchBytes: usize,
): void {
  const startBytes = <usize>(commonLists(steps) + steps) << 2;
  const windowsWide = width / pool;
  const windows = (height / pool) * windowsWide;
  const windowPixels = pool * pool;
  const windowStride = stride * pool;
  const reach = kernel + (pool - 1) * stride;
  const ends = scratch + thread * scratchBytes;
  const runs = ends + <usize>(chunkPixels * <i32>startBytes + 20);
  const line = runs + <usize>(chunkPixels + 2) * runBytes;
  const marked = line + <usize>(inputWidth + 2 * padding + reach + 32);
  const rows = marked + <usize>(inputWidth + 2 * padding + reach + 32);
  const rowsPerPixel = kernel * kernel * inputChannels;
  const outputs = (channels + 3) & ~3;
  const targetStepBytes = <usize>windows * targetPixelBytes;
  decay = neuronDecay;
  threshold = neuronThreshold;
  softReset = neuronSoftReset;
  quiet = neuronQuiet;
  maskPixelBytes = <usize>((channels + 15) >> 4) << 1;
  maskStepBytes = <usize>windows * maskPixelBytes;
  const lastStart = rows + (<usize>(rowsCapacity - mostRows) << 1);
  const lastPixels = chunkPixels - windowPixels;
  let place = <usize>(first * windowsWide);
  // Bits of neurons that are asked, or that nothing reaches, are not written where they are 0.
  if (masks != 0 && (target == 0 || quiet != -Infinity)) {
    const rowsBytes = <usize>((last - first) * windowsWide) * maskPixelBytes;
    for (let step: usize = 0; step < <usize>steps; step++) memory.fill(masks + place * maskPixelBytes + step * maskStepBytes, 0, rowsBytes);
  }
  const startRowBytes = <usize>(inputWidth + 1) * startBytes;
  // Entries are the low 16 bits of `x * channels + channel`: where a row has more, they say nothing without their pixel.
  const direct = kernel == 1 && padding == 0 && inputWidth * inputChannels <= 0x10000;
  untilBytes = direct ? startBytes : 4;
  pixelBytes = direct ? startBytes * <usize>stride : startBytes;
  rowBytes = direct ? startRowBytes * <usize>stride - pixelBytes * <usize>pool : 0;
  windowBytes = direct ? pixelBytes * <usize>pool : startBytes * <usize>windowPixels;
  pixelEntries = direct ? <usize>(stride * inputChannels) : 0;
  let windowX = 0;
  let windowY = first;
  while (windowY < last) {
    let end = rows;
    let pixels = 0;
    let endsAt = ends + 4;
    let runsEnd = runs;
    let silent = 0;
    let reached = 0;
    store<u32>(ends, <u32>rows);
    while (windowY < last && end <= lastStart && pixels <= lastPixels) {
      const top = windowY * windowStride - padding;
      if (windowX == 0) markReached(active, inputHeight, inputWidth, reach, padding, top, line, marked);
      const firstX = windowX;
      while (windowX < windowsWide && load<u8>(marked + <usize>(windowX * windowStride)) == 0) windowX++;
      // A run ends where the next silence begins, or the lists go on elsewhere.
      if (reached != 0 && (windowX != firstX || (direct && firstX == 0))) {
        store<i32>(runsEnd, silent);
        store<i32>(runsEnd, reached, 4);
        runsEnd += runBytes;
        silent = 0;
        reached = 0;
      }
      silent += windowX - firstX;
      if (windowX < windowsWide) {
        const left = windowX * windowStride - padding;
        // As many windows next to each other as surely fit.
        const fit = direct ? windowsWide : min(<i32>((lastStart - end) >> 1) / mostRows + 1, (chunkPixels - pixels) / windowPixels);
        const most = pool > 1 && !direct ? 1 : min(fit, windowsWide - windowX);
        let count = 1;
        while (count < most && load<u8>(marked + <usize>((windowX + count) * windowStride)) != 0) count++;
        if (reached == 0) {
          store<u32>(runsEnd, <u32>(direct ? starts + <usize>top * startRowBytes + <usize>left * startBytes : endsAt - 4), 8);
          store<i32>(runsEnd, direct ? left * inputChannels : 0, 12);
        }
        if (!direct) {
          for (let dy = 0; dy < pool; dy++) {
            end = gather(
              starts, startBytes, inputHeight, inputWidth, inputChannels, kernel, stride, top + dy * stride, left, count * pool, end, endsAt,
            );
            endsAt += startBytes * <usize>(count * pool);
          }
        }
        pixels += count * windowPixels;
        reached += count;
        windowX += count;
      }
      if (windowX == windowsWide) {
        windowX = 0;
        windowY++;
      }
    }
    store<i32>(runsEnd, silent);
    store<i32>(runsEnd, reached, 4);
    runsEnd += runBytes;
    let blockWeights = weights;
    for (let output = 0; output < outputs; ) {
      const left = outputs - output;
      const block = left >= 32 ? 32 : left > 8 ? 16 : 8;
      const vectors = min(left, block) >> 2;
      const outputBytes = <usize>output << 2;
      const real = min(channels - output, block);
      const blockMasks: usize = masks == 0 ? 0 : masks + place * maskPixelBytes + <usize>((output >> 4) << 1);
      if (target == 0) {
        fireBlock(runs, runsEnd, steps, block, real, blockWeights, bias + outputBytes, blockMasks);
      } else if (pool > 1) {
        poolBlock(
          runs, runsEnd, pool, steps, block, vectors, blockWeights, bias + outputBytes,
          target + place * targetPixelBytes + outputBytes, targetStepBytes, targetPixelBytes,
        );
      } else {
        const added: usize = addend == 0 ? 0 : addend + place * addendPixelBytes + outputBytes;
        storeBlock(
          runs, runsEnd, steps, block, real, vectors, blockWeights, bias + outputBytes,
          target + place * targetPixelBytes + outputBytes, targetStepBytes, targetPixelBytes,
          added, addend == 0 ? 0 : addendStepBytes, addend == 0 ? 0 : addendPixelBytes, blockMasks,
        );
      }
      blockWeights += <usize>rowsPerPixel * <usize>block << 2;
      output += block;
    }
    place = <usize>(windowY * windowsWide + windowX);
  }
}
