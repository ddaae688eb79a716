/** 8-bit RGB pixels, row by row, no padding: `data.length === width * height * 3`. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
}
