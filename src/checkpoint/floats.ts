/** Between float32 and the 16-bit formats that checkpoints are stored in. */

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** All 65536 half-precision values, made when they are first needed: a look-up is faster than the bit work. */
let halfTable: Float32Array | undefined;

function halfValues(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Float32Array(65536);
  for (let half = 0; half < 65536; half++) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) table[half] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[half] = fraction === 0 ? sign * Infinity : NaN;
    else table[half] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  halfTable = table;
  return table;
}

export function halfToFloat(half: number): number {
  return halfValues()[half] ?? NaN;
}

export function bfloatToFloat(bfloat: number): number {
  bits[0] = bfloat << 16;
  return value[0] ?? NaN;
}

/** Rounds to the nearest, ties to even; too large becomes infinite, as IEEE 754 says. */
export function floatToHalf(number: number): number {
  value[0] = number;
  const single = bits[0] ?? 0;
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 the half has no hidden bit: its units are 2^-24.
    const units = Math.abs(number) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    const up = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
    return sign | (floor + (up ? 1 : 0));
  }
  const rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return sign | ((rounded - 0x38000000) >> 13);
}
