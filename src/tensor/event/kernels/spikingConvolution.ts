/**
 * Convolutions of spikes, for all steps of a pixel at once. The cost follows the spikes: for every entry of a list under the kernel and 32
 * output channels, 8 vector loads and 8 vector additions.
 */
import { atMost16, fire16, realBits } from './neurons';
import { always, evenSteps, largest, oddSteps, silentMasks, sumNow, sums, thread } from './scratch';
import { activeBytes, commonLists, upTo16 } from './spikes';

/**
 * Adds the weight rows on a list to what the sums start with, 32 output channels at a time. Exported, as the ones below, and with
 * nothing but loads and stores around its loop, so that the accumulators stay in registers.
 */
export function sum32(list: usize, end: usize, weights: usize, start: usize, target: usize): void {
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
  v128.store(target, a0);
  v128.store(target, a1, 16);
  v128.store(target, a2, 32);
  v128.store(target, a3, 48);
  v128.store(target, a4, 64);
  v128.store(target, a5, 80);
  v128.store(target, a6, 96);
  v128.store(target, a7, 112);
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

/** {@link sum32} with something added to the sums in the end. */
export function sumAdded32(list: usize, end: usize, weights: usize, start: usize, addend: usize, target: usize): void {
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
  v128.store(target, f32x4.add(a0, v128.load(addend)));
  v128.store(target, f32x4.add(a1, v128.load(addend, 16)), 16);
  v128.store(target, f32x4.add(a2, v128.load(addend, 32)), 32);
  v128.store(target, f32x4.add(a3, v128.load(addend, 48)), 48);
  v128.store(target, f32x4.add(a4, v128.load(addend, 64)), 64);
  v128.store(target, f32x4.add(a5, v128.load(addend, 80)), 80);
  v128.store(target, f32x4.add(a6, v128.load(addend, 96)), 96);
  v128.store(target, f32x4.add(a7, v128.load(addend, 112)), 112);
}

// @ts-ignore: decorator
@inline
function sum(block: i32, list: usize, end: usize, weights: usize, start: usize, target: usize): void {
  if (block == 32) sum32(list, end, weights, start, target);
  else if (block == 16) sum16(list, end, weights, start, target);
  else sum8(list, end, weights, start, target);
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

/** The same for 16 channels. @param addend 0, or what is added */
function repeat16(source: usize, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, steps: i32): void {
  const a0 = v128.load(source);
  const a1 = v128.load(source, 16);
  const a2 = v128.load(source, 32);
  const a3 = v128.load(source, 48);
  for (; steps > 0; steps--) {
    if (addend == 0) {
      v128.store(target, a0);
      v128.store(target, a1, 16);
      v128.store(target, a2, 32);
      v128.store(target, a3, 48);
    } else {
      v128.store(target, f32x4.add(a0, v128.load(addend)));
      v128.store(target, f32x4.add(a1, v128.load(addend, 16)), 16);
      v128.store(target, f32x4.add(a2, v128.load(addend, 32)), 32);
      v128.store(target, f32x4.add(a3, v128.load(addend, 48)), 48);
      addend += addendStepBytes;
    }
    target += targetStepBytes;
  }
}

/** Writes the same sums at every step. @param addend 0, or what is added */
function repeat(source: usize, vectors: i32, target: usize, targetStepBytes: usize, addend: usize, addendStepBytes: usize, steps: i32): void {
  if (vectors == 8) {
    if (addend == 0) repeat32(source, target, targetStepBytes, steps);
    else repeatAdded32(source, target, targetStepBytes, addend, addendStepBytes, steps);
    return;
  }
  if (vectors == 4) {
    repeat16(source, target, targetStepBytes, addend, addendStepBytes, steps);
    return;
  }
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

/** Keeps the larger of two, or takes the only one. */
function keepLarger(source: usize, target: usize, bytes: usize, compare: bool): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    const value = v128.load(source + at);
    v128.store(target + at, compare ? f32x4.pmax(value, v128.load(target + at)) : value);
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
function common(block: i32, list: usize, end: usize, weights: usize, start: usize, sums: usize): usize {
  if (list == end) return start;
  sum(block, list, end, weights, start, sums);
  return sums;
}

/** Whether anything is on a pixel's lists but on the first one. */
// @ts-ignore: decorator
@inline
function moves(cursor: usize, listBytes: usize): bool {
  let bytes = i32x4.splat(0);
  let list: usize = 4;
  for (; list + 16 <= listBytes; list += 16) {
    bytes = v128.or(bytes, v128.xor(v128.load(cursor + list), v128.load(cursor + list + untilBytes)));
  }
  if (list < listBytes) {
    const rest = v128.xor(v128.load(cursor + list), v128.load(cursor + list + untilBytes));
    bytes = v128.or(bytes, v128.and(rest, v128.load(upTo16 + 16 - (listBytes - list))));
  }
  return v128.any_true(bytes);
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
    return;
  }
  for (; steps > 0; steps--) {
    store<u16>(mask, 0);
    mask += maskStepBytes;
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
  for (; run < runsEnd; run += runBytes) {
    const silent = load<i32>(run);
    if (silent != 0) {
      let to = target;
      let added = addend;
      for (let step = 0; step < steps; step++) {
        // What are steps elsewhere are pixels here.
        repeat(bias, vectors, to, targetPixelBytes, added, addendPixelBytes, silent);
        to += targetStepBytes;
        added += addendStepBytes;
      }
      if (masks != 0) {
        for (let pixel: usize = 0; pixel < <usize>silent; pixel++) {
          firePixel(target + pixel * targetPixelBytes, targetStepBytes, steps, masks + pixel * maskPixelBytes, realLow, realHigh);
        }
        masks += <usize>silent * maskPixelBytes;
      }
      target += <usize>silent * targetPixelBytes;
      addend += <usize>silent * addendPixelBytes;
    }
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
  const direct = vectors << 2 == block && (addend == 0 || block == 32);
  const weightBytes = pixelEntries * (<usize>block << 2);
  for (; pixels > 0; pixels--) {
    let cursor = first;
    first += windowBytes;
    let to = target;
    let added = addend;
    target += targetPixelBytes;
    addend += addendPixelBytes;
    let even = bias;
    let odd = bias;
    let still = false;
    if (commons != 0) {
      even = common(block, load<u32>(cursor), load<u32>(cursor + untilBytes), weights, bias, always);
      odd = even;
      still = !moves(cursor, listBytes);
      cursor += 4;
      if (commons == 3 && !still) {
        even = common(block, load<u32>(cursor), load<u32>(cursor + untilBytes), weights, odd, evenSteps);
        odd = common(block, load<u32>(cursor, 4), load<u32>(cursor + untilBytes, 4), weights, odd, oddSteps);
        cursor += 8;
      }
    }
    if (still) repeat(even, vectors, to, targetStepBytes, added, addendStepBytes, steps);
    else {
      for (let step = 0; step < steps; step++) {
        const from: usize = load<u32>(cursor);
        const until: usize = load<u32>(cursor + untilBytes);
        const start = step & 1 ? odd : even;
        cursor += 4;
        if (!direct) {
          sum(block, from, until, weights, start, sumNow);
          repeat(sumNow, vectors, to, 0, added, 0, 1);
        } else if (addend == 0) sum(block, from, until, weights, start, to);
        else sumAdded32(from, until, weights, start, added, to);
        to += targetStepBytes;
        added += addendStepBytes;
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
      for (let step = 0; step < steps; step++, to += targetStepBytes) repeat(bias, vectors, to, targetPixelBytes, 0, 0, silent);
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
    // Pixels that are the same at every step are compared once.
    let still = 0;
    let moving = 0;
    for (let dy = 0; dy < pool; dy++) {
      let pixelWeights = weights;
      for (let dx = 0; dx < pool; dx++) {
        let cursor = pixel;
        pixel += pixelBytes;
        let even = bias;
        let odd = bias;
        let same = false;
        if (commons != 0) {
          even = common(block, load<u32>(cursor), load<u32>(cursor + untilBytes), pixelWeights, bias, always);
          odd = even;
          same = !moves(cursor, listBytes);
          cursor += 4;
          if (commons == 3 && !same) {
            even = common(block, load<u32>(cursor), load<u32>(cursor + untilBytes), pixelWeights, odd, evenSteps);
            odd = common(block, load<u32>(cursor, 4), load<u32>(cursor + untilBytes, 4), pixelWeights, odd, oddSteps);
            cursor += 8;
          }
        }
        if (same) {
          keepLarger(even, largest, bytes, still > 0);
          still++;
        } else {
          let kept = keptFirst;
          for (let step = 0; step < steps; step++) {
            const from: usize = load<u32>(cursor);
            const until: usize = load<u32>(cursor + untilBytes);
            let source = step & 1 ? odd : even;
            cursor += 4;
            if (moving == 0) sum(block, from, until, pixelWeights, source, kept);
            else {
              if (from != until) {
                sum(block, from, until, pixelWeights, source, sumNow);
                source = sumNow;
              }
              keepLarger(source, kept, bytes, true);
            }
            kept += keptBytes;
          }
          moving++;
        }
        pixelWeights -= weightBytes;
      }
      pixel += rowBytes;
    }
    weights -= weightBytes * <usize>pool;
    if (moving == 0) {
      repeat(largest, vectors, to, targetStepBytes, 0, 0, steps);
      continue;
    }
    let kept = keptFirst;
    let stepTo = to;
    for (let step = 0; step < steps; step++) {
      if (still > 0) keepLarger(largest, kept, bytes, true);
      if (!inPlace) repeat(kept, vectors, stepTo, 0, 0, 0, 1);
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
  const weightBytes = pixelEntries * (<usize>block << 2);
  for (; pixels > 0; pixels--) {
    let cursor = first;
    first += windowBytes;
    let sumsAt = sums;
    let sumBytes: usize = 128;
    let even = bias;
    let odd = bias;
    let still = false;
    if (commons != 0) {
      even = common(block, load<u32>(cursor), load<u32>(cursor + untilBytes), weights, bias, always);
      odd = even;
      still = !moves(cursor, listBytes);
      cursor += 4;
      if (commons == 3 && !still) {
        even = common(block, load<u32>(cursor), load<u32>(cursor + untilBytes), weights, odd, evenSteps);
        odd = common(block, load<u32>(cursor, 4), load<u32>(cursor + untilBytes, 4), weights, odd, oddSteps);
        cursor += 8;
      }
    }
    if (still) {
      sumsAt = even;
      sumBytes = 0;
    } else {
      let to = sums;
      for (let step = 0; step < steps; step++) {
        sum(block, load<u32>(cursor), load<u32>(cursor + untilBytes), weights, step & 1 ? odd : even, to);
        cursor += 4;
        to += 128;
      }
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
  if (target == 0) {
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
