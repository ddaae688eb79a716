/** Luma of RGBA pixels, 0 to 255 (ITU-R BT.601). */
export function luminanceOf(rgba: Uint8ClampedArray): Uint8Array {
  const luminance = new Uint8Array(rgba.length / 4);
  for (let pixel = 0; pixel < luminance.length; pixel++) {
    const at = pixel * 4;
    luminance[pixel] = Math.round(0.299 * (rgba[at] ?? 0) + 0.587 * (rgba[at + 1] ?? 0) + 0.114 * (rgba[at + 2] ?? 0));
  }
  return luminance;
}
