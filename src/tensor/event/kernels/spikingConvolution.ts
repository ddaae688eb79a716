/**
 * Convolutions of spikes, for all steps of a pixel at once. The cost follows the spikes: for every entry of a list under the kernel and 32
 * output channels, 8 vector loads and 8 vector additions.
 */
import { fire16, realBits } from './neurons';
import { commonLists, upTo16 } from './spikes';

/**
 * Sums of one pixel and one block of output channels: of what fires at every step, at every even and every odd one; of one step, of
 * each step, and the largest of several pixels.
 */
const always: usize = memory.data(128, 16);
const evenSteps: usize = memory.data(128, 16);
const oddSteps: usize = memory.data(128, 16);
const sumNow: usize = memory.data(128, 16);
const sums: usize = memory.data(128 * 256, 16);
const largest: usize = memory.data(128, 16);
/** Bytes that each list adds to what is gathered for a pixel, for at most 256 steps and three; written four at a time. */
const runBytesOf: usize = memory.data(264 * 4, 16);
/** What the neurons of a block do where nothing reaches them: two words for each step. */
const silentMasks: usize = memory.data(4 * 256, 16);

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
    let any = i32x4.splat(0);
    for (let list: usize = 0; list < startBytes; list += 16) {
      let start = corner + list;
      let bytes = i32x4.sub(v128.load(start + runBytes), v128.load(start));
      for (let row = 1; row < rows; row++) {
        start += rowStartBytes;
        bytes = i32x4.add(bytes, i32x4.sub(v128.load(start + runBytes), v128.load(start)));
      }
      if (list == lastGroup) bytes = v128.and(bytes, ofLastGroup);
      any = v128.or(any, bytes);
      v128.store(runBytesOf + list, bytes);
      v128.store(endsAt + list, i32x4.splat(<i32>end));
    }
    if (v128.any_true(any)) {
      const pixelOffset = i16x8.splat(<i16>(firstOffset - x * inputChannels));
      for (let list: usize = 0; list < startBytes; list += 4) {
        const bytes = <usize>load<u32>(runBytesOf + list);
        if (bytes != 0) {
          let start = corner + list;
          let offset = pixelOffset;
          let to = end;
          for (let row = 0; row < rows; row++) {
            const from: usize = load<u32>(start);
            const until: usize = load<u32>(start + runBytes);
            copyRun(from, until, to, offset);
            to += until - from;
            offset = i16x8.add(offset, rowOffset);
            start += rowStartBytes;
          }
          end += bytes;
        }
        store<u32>(endsAt + list, <u32>end);
      }
    }
    endsAt += startBytes;
  }
  return end;
}

/** The same for a kernel of 1 without padding, where a list needs no putting together. @param start where the first pixel begins in the lists */
function gatherSingles(start: usize, startBytes: usize, inputChannels: i32, stride: i32, left: i32, pixels: i32, end: usize, endsAt: usize): usize {
  const lastGroup = (startBytes - 1) & ~15;
  const ofLastGroup = v128.load(upTo16 + 16 - (startBytes - lastGroup));
  for (let x = left; pixels > 0; pixels--) {
    let any = i32x4.splat(0);
    for (let list: usize = 0; list < startBytes; list += 16) {
      const bytes = i32x4.sub(v128.load(start + list + startBytes), v128.load(start + list));
      any = v128.or(any, list == lastGroup ? v128.and(bytes, ofLastGroup) : bytes);
      v128.store(endsAt + list, i32x4.splat(<i32>end));
    }
    if (v128.any_true(any)) {
      const offset = i16x8.splat(<i16>(-x * inputChannels));
      for (let list: usize = 0; list < startBytes; list += 4) {
        const from: usize = load<u32>(start + list);
        const until: usize = load<u32>(start + list + startBytes);
        if (from != until) {
          copyRun(from, until, end, offset);
          end += until - from;
        }
        store<u32>(endsAt + list, <u32>end);
      }
    }
    x += stride;
    start += <usize>stride * startBytes;
    endsAt += startBytes;
  }
  return end;
}

/** Where the sums of what several steps have in common are: made only where something is on the list. */
// @ts-ignore: decorator
@inline
function common(block: i32, list: usize, end: usize, weights: usize, start: usize, sums: usize): usize {
  if (list == end) return start;
  sum(block, list, end, weights, start, sums);
  return sums;
}

/** A block of output channels for the gathered pixels, written where they belong. */
function storeBlock(
  cursor: usize, pixels: i32, place: usize, steps: i32, block: i32, vectors: i32, weights: usize, bias: usize,
  target: usize, targetStepBytes: usize, targetPixelBytes: usize, addend: usize, addendStepBytes: usize, addendPixelBytes: usize,
): void {
  const commons = commonLists(steps);
  const listBytes = <usize>(commons + steps) << 2;
  const direct = addend == 0 && vectors << 2 == block;
  for (; pixels > 0; pixels--) {
    let to = target + place * targetPixelBytes;
    let added: usize = addend == 0 ? 0 : addend + place * addendPixelBytes;
    place++;
    let from: usize = load<u32>(cursor);
    const next = cursor + listBytes;
    let even = bias;
    let odd = bias;
    if (commons != 0) {
      const until: usize = load<u32>(cursor, 4);
      even = common(block, from, until, weights, bias, always);
      odd = even;
      from = until;
      if (from == <usize>load<u32>(next)) {
        repeat(even, vectors, to, targetStepBytes, added, addendStepBytes, steps);
        cursor = next;
        continue;
      }
      cursor += 4;
      if (commons == 3) {
        const untilEven: usize = load<u32>(cursor, 4);
        const untilOdd: usize = load<u32>(cursor, 8);
        even = common(block, from, untilEven, weights, odd, evenSteps);
        odd = common(block, untilEven, untilOdd, weights, odd, oddSteps);
        from = untilOdd;
        cursor += 8;
      }
    }
    for (let step = 0; step < steps; step++) {
      cursor += 4;
      const until: usize = load<u32>(cursor);
      const start = step & 1 ? odd : even;
      if (from == until) repeat(start, vectors, to, 0, added, 0, 1);
      else if (direct) sum(block, from, until, weights, start, to);
      else {
        sum(block, from, until, weights, start, sumNow);
        repeat(sumNow, vectors, to, 0, added, 0, 1);
      }
      from = until;
      to += targetStepBytes;
      added += addendStepBytes;
    }
  }
}

/** The same, but the largest of each window of `windowPixels` pixels. */
function poolBlock(
  cursor: usize, windows: i32, windowPixels: i32, place: usize, steps: i32, block: i32, vectors: i32, weights: usize, bias: usize,
  target: usize, targetStepBytes: usize, targetPixelBytes: usize,
): void {
  const commons = commonLists(steps);
  const listBytes = <usize>(commons + steps) << 2;
  const bytes = <usize>vectors << 4;
  for (; windows > 0; windows--) {
    const to = target + place * targetPixelBytes;
    place++;
    const nextWindow = cursor + listBytes * <usize>windowPixels;
    if (load<u32>(cursor) == load<u32>(nextWindow)) {
      repeat(bias, vectors, to, targetStepBytes, 0, 0, steps);
      cursor = nextWindow;
      continue;
    }
    // Pixels that are the same at every step are compared once.
    let still = 0;
    let moving = 0;
    for (let pixel = 0; pixel < windowPixels; pixel++) {
      let from: usize = load<u32>(cursor);
      const next = cursor + listBytes;
      let even = bias;
      let odd = bias;
      if (commons != 0) {
        const until: usize = load<u32>(cursor, 4);
        even = common(block, from, until, weights, bias, always);
        odd = even;
        from = until;
        if (from == <usize>load<u32>(next)) {
          keepLarger(even, largest, bytes, still > 0);
          still++;
          cursor = next;
          continue;
        }
        cursor += 4;
        if (commons == 3) {
          const untilEven: usize = load<u32>(cursor, 4);
          const untilOdd: usize = load<u32>(cursor, 8);
          even = common(block, from, untilEven, weights, odd, evenSteps);
          odd = common(block, untilEven, untilOdd, weights, odd, oddSteps);
          from = untilOdd;
          cursor += 8;
        }
      }
      let kept = sums;
      for (let step = 0; step < steps; step++) {
        cursor += 4;
        const until: usize = load<u32>(cursor);
        let source = step & 1 ? odd : even;
        if (from != until) {
          const summed = moving == 0 ? kept : sumNow;
          sum(block, from, until, weights, source, summed);
          source = summed;
        }
        if (source != kept) keepLarger(source, kept, bytes, moving > 0);
        from = until;
        kept += 128;
      }
      moving++;
    }
    if (moving == 0) {
      repeat(largest, vectors, to, targetStepBytes, 0, 0, steps);
      continue;
    }
    let kept = sums;
    let stepTo = to;
    for (let step = 0; step < steps; step++) {
      if (still > 0) keepLarger(largest, kept, bytes, true);
      repeat(kept, vectors, stepTo, 0, 0, 0, 1);
      kept += 128;
      stepTo += targetStepBytes;
    }
  }
}

/** The same as {@link storeBlock}, but only the bits of the LIF neuron are kept. `channels` of the block, at most 32. */
function fireBlock(
  cursor: usize, pixels: i32, steps: i32, block: i32, channels: i32, weights: usize, bias: usize,
  masks: usize, maskStepBytes: usize, maskPixelBytes: usize, decay: f32, threshold: f32, softReset: i32,
): void {
  const commons = commonLists(steps);
  const listBytes = <usize>(commons + steps) << 2;
  const vectors = block >> 2;
  const realLow = realBits(0, channels);
  const realHigh = channels > 16 ? realBits(16, channels) : 0;
  fire16(bias, 0, steps, decay, threshold, softReset, silentMasks, 4, realLow);
  if (realHigh != 0) fire16(bias + 64, 0, steps, decay, threshold, softReset, silentMasks + 2, 4, realHigh);
  for (; pixels > 0; pixels--) {
    let from: usize = load<u32>(cursor);
    const next = cursor + listBytes;
    let sumsAt = sums;
    let sumBytes: usize = 128;
    if (from == <usize>load<u32>(next)) {
      let mask = masks;
      for (let step = 0; step < steps; step++) {
        store<u16>(mask, load<u16>(silentMasks + (<usize>step << 2)));
        if (realHigh != 0) store<u16>(mask, load<u16>(silentMasks + (<usize>step << 2), 2), 2);
        mask += maskStepBytes;
      }
    } else {
      let even = bias;
      let odd = bias;
      if (commons != 0) {
        const until: usize = load<u32>(cursor, 4);
        even = common(block, from, until, weights, bias, always);
        odd = even;
        from = until;
        cursor += 4;
        if (commons == 3 && from != <usize>load<u32>(next)) {
          const untilEven: usize = load<u32>(cursor, 4);
          const untilOdd: usize = load<u32>(cursor, 8);
          even = common(block, from, untilEven, weights, odd, evenSteps);
          odd = common(block, untilEven, untilOdd, weights, odd, oddSteps);
          from = untilOdd;
          cursor += 8;
        }
      }
      if (even == odd && from == <usize>load<u32>(next)) {
        sumsAt = even;
        sumBytes = 0;
      } else {
        let to = sums;
        for (let step = 0; step < steps; step++) {
          cursor += 4;
          const until: usize = load<u32>(cursor);
          const start = step & 1 ? odd : even;
          if (from == until) repeat(start, vectors, to, 0, 0, 0, 1);
          else sum(block, from, until, weights, start, to);
          from = until;
          to += 128;
        }
      }
      fire16(sumsAt, sumBytes, steps, decay, threshold, softReset, masks, maskStepBytes, realLow);
      if (realHigh != 0) fire16(sumsAt + 64, sumBytes, steps, decay, threshold, softReset, masks + 2, maskStepBytes, realHigh);
    }
    cursor = next;
    masks += maskPixelBytes;
  }
}

/**
 * A convolution of spikes, alone or with what comes behind it: max pooling, an addition, or the LIF neuron.
 *
 * Pixels are taken in chunks. First the numbers of the weight rows under the kernel of each pixel are gathered, list by list; then every
 * block of output channels walks them: what fires at every step is added once, and every step goes on from there.
 * @param starts of the lists (spikes.ts)
 * @param height and width of the convolution's output, before pooling
 * @param pool side of the pooling window, 1 for none; with more there is no addend and no neuron
 * @param weights blocks of 32, then 16, then 8 output channels, each `[kernel row, kernel column, input channel, block]`
 * @param channels of the output
 * @param target `[steps, windows, targetPixelBytes]`, or 0 where only the neurons' bits are wanted
 * @param addend 0, or features added to the result; `addendStepBytes` 0 where they are the same at every step
 * @param masks where the bits of the LIF neuron go where `target` is 0, `u16[steps][pixels][channels / 16 rounded up]`
 * @param rows scratch for `rowsCapacity` numbers (`u16`) and 32 more; `mostRows` is what one window gathers at most
 * @param ends scratch for `chunkPixels * lists + 5`
 */
export function spikingConvolution(
  starts: usize, steps: i32, inputHeight: i32, inputWidth: i32, inputChannels: i32,
  kernel: i32, stride: i32, padding: i32, height: i32, width: i32, pool: i32,
  weights: usize, bias: usize, channels: i32, target: usize, targetPixelBytes: usize,
  addend: usize, addendStepBytes: usize, addendPixelBytes: usize,
  masks: usize, decay: f32, threshold: f32, softReset: i32,
  rows: usize, rowsCapacity: i32, mostRows: i32, ends: usize, chunkPixels: i32,
): void {
  const startBytes = <usize>(commonLists(steps) + steps) << 2;
  const windowsWide = width / pool;
  const windows = (height / pool) * windowsWide;
  const windowPixels = pool * pool;
  const rowsPerPixel = kernel * kernel * inputChannels;
  const outputs = (channels + 3) & ~3;
  const targetStepBytes = <usize>windows * targetPixelBytes;
  const maskPixelBytes = <usize>((channels + 15) >> 4) << 1;
  const maskStepBytes = <usize>windows * maskPixelBytes;
  const lastStart = rows + (<usize>(rowsCapacity - mostRows) << 1);
  let windowX = 0;
  let windowY = 0;
  let first = 0;
  while (first < windows) {
    let window = first;
    let end = rows;
    let pixels = 0;
    let endsAt = ends + 4;
    store<u32>(ends, <u32>rows);
    while (window < windows && end <= lastStart && pixels + windowPixels <= chunkPixels) {
      // As many windows of the row as surely fit.
      const fit = min(<i32>((lastStart - end) >> 1) / mostRows + 1, (chunkPixels - pixels) / windowPixels);
      const count = pool > 1 ? 1 : min(fit, windowsWide - windowX);
      for (let dy = 0; dy < pool; dy++) {
        const top = (windowY * pool + dy) * stride - padding;
        const left = windowX * pool * stride - padding;
        if (kernel == 1 && padding == 0) {
          const start = starts + <usize>(top * (inputWidth + 1) + left) * startBytes;
          end = gatherSingles(start, startBytes, inputChannels, stride, left, count * pool, end, endsAt);
        } else {
          end = gather(starts, startBytes, inputHeight, inputWidth, inputChannels, kernel, stride, top, left, count * pool, end, endsAt);
        }
        endsAt += startBytes * <usize>(count * pool);
      }
      pixels += count * windowPixels;
      window += count;
      windowX += count;
      if (windowX == windowsWide) {
        windowX = 0;
        windowY++;
      }
    }
    const place = <usize>first;
    let blockWeights = weights;
    for (let output = 0; output < outputs; ) {
      const left = outputs - output;
      const block = left >= 32 ? 32 : left > 8 ? 16 : 8;
      const vectors = min(left, block) >> 2;
      const outputBytes = <usize>output << 2;
      if (target == 0) {
        const blockMasks = masks + place * maskPixelBytes + <usize>((output >> 4) << 1);
        fireBlock(
          ends, pixels, steps, block, min(channels - output, block), blockWeights, bias + outputBytes,
          blockMasks, maskStepBytes, maskPixelBytes, decay, threshold, softReset,
        );
      } else if (pool > 1) {
        poolBlock(
          ends, window - first, windowPixels, place, steps, block, vectors, blockWeights, bias + outputBytes,
          target + outputBytes, targetStepBytes, targetPixelBytes,
        );
      } else {
        storeBlock(
          ends, pixels, place, steps, block, vectors, blockWeights, bias + outputBytes,
          target + outputBytes, targetStepBytes, targetPixelBytes, addend == 0 ? 0 : addend + outputBytes, addendStepBytes, addendPixelBytes,
        );
      }
      blockWeights += <usize>rowsPerPixel * <usize>block << 2;
      output += block;
    }
    first = window;
  }
}
