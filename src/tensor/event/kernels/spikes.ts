/**
 * What fired. Neurons leave one bit for each step, `u16[steps][pixels][words]`, 16 channels a word; where they may fire several times within
 * a step, these bits again for the second spike, the third and so on. From these come lists, so that what
 * several steps have in common is added once: neurons that fired at every step; from four steps on also those that fired at every even
 * one, and at every odd one (a constant current makes a neuron fire always or every other time); and for each step those that are not on
 * the lists before. With one step there is only its own. Second spikes and later ones are on the lists of their steps, once more each.
 *
 * A list holds `u16` numbers `x * channels + channel` (the low 16 bits of them), row after row of the image and ascending in each, so that
 * what a row of a kernel covers is one run of it: `starts`, `u32[height][width + 1][lists]`, says where each pixel begins in each list.
 * `active`, `u8[height][width rounded up to 16]`, is not 0 where a pixel has anything on a list.
 */
import { append } from './lists';
import { listEnds, partialCounts } from './scratch';

/** Between lists, since they are written eight entries at a time, past their ends. */
const gapBytes: usize = 16;

/** Lists that several steps have in common: every step; every even and every odd one. */
// @ts-ignore: decorator
@inline
export function commonLists(steps: i32): i32 {
  return steps == 1 ? 0 : steps < 4 ? 1 : 3;
}

/**
 * Counts what will be on each list, for some rows of pixels. What is listed comes in parts of `partRows` rows, each with lists of its own.
 * @param first and last row, the latter not included: a part
 * @param rowWords of a row of pixels at one step
 * @param counts `u32[parts][lists]`
 */
export function countSpikes(
  first: i32, last: i32, masks: usize, burst: i32, steps: i32, height: i32, rowWords: i32, partRows: i32, counts: usize,
): void {
  const stepBytes = <usize>(height * rowWords) << 1;
  const endBytes = <usize>(last * rowWords) << 1;
  const common = commonLists(steps);
  const lists = common + steps;
  memory.fill(partialCounts, 0, <usize>lists << 4);
  // Eight words at a time; at the end what is behind it is left out.
  for (let at = <usize>(first * rowWords) << 1; at < endBytes; at += 16) {
    const real = endBytes - at >= 16 ? i8x16.splat(-1) : v128.load(upTo16 + 16 - (endBytes - at));
    let even = real;
    let odd = real;
    if (common != 0) {
      for (let step = 0; step < steps; step++) {
        const mask = v128.load(masks + at + <usize>step * stepBytes);
        if (step & 1) odd = v128.and(odd, mask);
        else even = v128.and(even, mask);
      }
      const always = v128.and(even, odd);
      addCounts(partialCounts, always);
      if (common == 3) {
        addCounts(partialCounts + 16, v128.andnot(even, always));
        addCounts(partialCounts + 32, v128.andnot(odd, always));
      } else {
        even = always;
        odd = always;
      }
    } else {
      even = i8x16.splat(0);
    }
    for (let step = 0; step < steps; step++) {
      const mask = v128.and(v128.load(masks + at + <usize>step * stepBytes), real);
      const to = partialCounts + (<usize>(common + step) << 4);
      addCounts(to, v128.andnot(mask, step & 1 ? odd : even));
      for (let spike = 1; spike < burst; spike++) {
        addCounts(to, v128.and(v128.load(masks + at + <usize>(spike * steps + step) * stepBytes), real));
      }
    }
  }
  const partCounts = counts + (<usize>(first / partRows * lists) << 2);
  for (let list: usize = 0; list < <usize>lists; list++) {
    const sums = partialCounts + (list << 4);
    store<i32>(partCounts + (list << 2), load<i32>(sums) + load<i32>(sums, 4) + load<i32>(sums, 8) + load<i32>(sums, 12));
  }
}

/** Bytes of a row of pixels in `active`. */
// @ts-ignore: decorator
@inline
export function activeBytes(width: i32): usize {
  return <usize>((width + 15) & ~15);
}

/** Sixteen bytes of ones, then sixteen of zeros. */
export const upTo16: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

// @ts-ignore: decorator
@inline
function addCounts(to: usize, bits: v128): void {
  const counts = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(i8x16.popcnt(bits)));
  v128.store(to, i32x4.add(v128.load(to), counts));
}

/** Appends what up to 16 neurons did to a list. The first of them is `entry`. */
// @ts-ignore: decorator
@inline
function appendMask(mask: i32, entry: i32, list: usize): void {
  let end: usize = load<u32>(list);
  end = append(mask & 255, entry, end);
  end = append(mask >> 8, entry + 8, end);
  store<u32>(list, <u32>end);
}

/**
 * Writes the lists of a part.
 * @param first and last row, the latter not included
 * @param words of a pixel at one step
 * @param counts from {@link countSpikes}
 * @param entries `u32[parts]`, where the part's lists go: two bytes for each entry, 16 for each list, and behind the last part 32 more for
 * those who read them 16 entries at a time
 */
export function listSpikes(
  first: i32, last: i32, masks: usize, burst: i32, steps: i32, height: i32, width: i32, words: i32, channels: i32,
  partRows: i32, counts: usize, entries: usize, starts: usize, active: usize,
): void {
  const activeRowBytes = activeBytes(width);
  const stepBytes = <usize>(height * width * words) << 1;
  const common = commonLists(steps);
  const startBytes = <usize>(common + steps) << 2;
  const stepEnds = listEnds + (<usize>common << 2);
  const part = <usize>(first / partRows);
  masks += <usize>(first * width * words) << 1;
  counts += part * startBytes;
  starts += <usize>(first * (width + 1)) * startBytes;
  active += <usize>first * activeRowBytes;
  let listStart: usize = load<u32>(entries + (part << 2));
  for (let list: usize = 0; list < startBytes; list += 4) {
    store<u32>(listEnds + list, <u32>listStart);
    listStart += (<usize>load<u32>(counts + list) << 1) + gapBytes;
  }
  for (let y = first; y < last; y++) {
    let entry = 0;
    v128.store(active + activeRowBytes - 16, i8x16.splat(0));
    for (let x = 0; x < width; x++) {
      // A whole vector of a single list would reach into the next row, which may belong to another thread.
      if (common == 0) store<u32>(starts, load<u32>(listEnds));
      else for (let at: usize = 0; at < startBytes; at += 16) v128.store(starts + at, v128.load(listEnds + at));
      starts += startBytes;
      let any = 0;
      for (let neuron = entry; neuron < entry + (words << 4); neuron += 16) {
        let even = -1;
        let odd = -1;
        let ever = 0;
        for (let step = 0; step < steps; step++) {
          const mask = <i32>load<u16>(masks + <usize>step * stepBytes);
          ever |= mask;
          if (step & 1) odd &= mask;
          else even &= mask;
        }
        any |= ever;
        if (ever != 0) {
          const always = even & odd;
          if (common == 0) {
            even = 0;
          } else {
            if (always != 0) appendMask(always, neuron, listEnds);
            if (common == 1) {
              even = always;
              odd = always;
            } else {
              if (even != always) appendMask(even & ~always, neuron, listEnds + 4);
              if (odd != always) appendMask(odd & ~always, neuron, listEnds + 8);
            }
          }
          if ((even | odd) != ever || even != odd || burst > 1) {
            for (let step = 0; step < steps; step++) {
              const list = stepEnds + (<usize>step << 2);
              const mask = <i32>load<u16>(masks + <usize>step * stepBytes) & ~(step & 1 ? odd : even);
              if (mask != 0) appendMask(mask, neuron, list);
              for (let spike = 1; spike < burst; spike++) {
                const again = <i32>load<u16>(masks + <usize>(spike * steps + step) * stepBytes);
                if (again != 0) appendMask(again, neuron, list);
              }
            }
          }
        }
        masks += 2;
      }
      store<u8>(active + x, <u8>(any != 0));
      entry += channels;
    }
    active += activeRowBytes;
    // Not in whole vectors: what is behind it may belong to another thread.
    for (let at: usize = 0; at < startBytes; at += 4) store<u32>(starts + at, load<u32>(listEnds + at));
    starts += startBytes;
  }
}

/** Adds a one for everything that fired, into `[steps, height, width, channels]` without padding. */
export function spread(starts: usize, steps: i32, height: i32, width: i32, channels: i32, target: usize): void {
  const common = commonLists(steps);
  const lists = common + steps;
  const startBytes = <usize>lists << 2;
  const stepBytes = <usize>(height * width * channels) << 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let list = 0; list < lists; list++) {
        const until: usize = load<u32>(starts + startBytes);
        const firstStep = list >= common ? list - common : list == 2 ? 1 : 0;
        const stride = list >= common ? steps : list == 0 ? 1 : 2;
        for (let from: usize = load<u32>(starts); from < until; from += 2) {
          const channel = <usize>((<i32>load<u16>(from) - x * channels) & 0xffff);
          for (let step = firstStep; step < steps; step += stride) {
            const value = target + (channel << 2) + <usize>step * stepBytes;
            store<f32>(value, load<f32>(value) + 1);
          }
        }
        starts += 4;
      }
      target += <usize>channels << 2;
    }
    starts += startBytes;
  }
}
