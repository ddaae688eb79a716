import type { Size } from '../../base/geometry';
import { maximumSensorSide } from './source';

/** The text in front of Prophesee's files: lines that begin with a percent sign and a space. */
export interface CommentHeader {
  lines: string[];
  /** Where the data begins. */
  dataOffset: number;
}

/** Lines of a header are short; a longer one is data that happens to begin like one. */
const maximumLineBytes = 4096;

export function readCommentHeader(head: Uint8Array): CommentHeader {
  const lines: string[] = [];
  let offset = 0;
  const decoder = new TextDecoder('latin1');
  // The space matters: without `% end`, the first byte of the data may be a percent sign.
  while (head[offset] === 0x25 && head[offset + 1] === 0x20) {
    const end = head.indexOf(0x0a, offset);
    if (end < 0 || end - offset > maximumLineBytes) break;
    const line = decoder.decode(head.subarray(offset + 1, end)).trim();
    offset = end + 1;
    if (line.toLowerCase() === 'end') break;
    lines.push(line);
  }
  return { lines, dataOffset: offset };
}

/** The value behind a key, in any of the ways that these headers are written. */
export function headerValue({ lines }: CommentHeader, key: RegExp): string | undefined {
  for (const line of lines) {
    const match = key.exec(line);
    if (match) return match[1];
  }
  return undefined;
}

/** A size that a header claims, if it can be one. */
export function believableSize(width: number, height: number): Size | undefined {
  const fits = (side: number): boolean => Number.isInteger(side) && side > 0 && side <= maximumSensorSide;
  return fits(width) && fits(height) ? { width, height } : undefined;
}

/** Sensors by name or generation, for headers that name no size. */
const knownSensors: readonly [pattern: RegExp, size: Size][] = [
  [/gen_?x?320/i, { width: 320, height: 320 }],
  [/imx636|gen_?4/i, { width: 1280, height: 720 }],
  [/gen_?3/i, { width: 640, height: 480 }],
];

/** `% geometry 640x480`, `% format EVT3;height=720;width=1280`, `% Width 304` and `% Height 240`, `% sensor_generation 4.1`, `% plugin_name hal_plugin_gen41_evk3`. */
export function sensorOf(header: CommentHeader): Size | undefined {
  const geometry = /(\d+)x(\d+)/.exec(headerValue(header, /^geometry\s+(.*)$/i) ?? '');
  const side = (name: string): number =>
    Number(headerValue(header, new RegExp(`(?:^|;)\\s*${name}[\\s=]+(\\d+)`, 'i')) ?? headerValue(header, new RegExp(`^format.*;${name}=(\\d+)`, 'i')));
  const named = geometry ? believableSize(Number(geometry[1]), Number(geometry[2])) : believableSize(side('width'), side('height'));
  if (named) return named;
  const generation = headerValue(header, /^(?:sensor_)?generation\s+(\d+)/i);
  const text = generation === undefined ? header.lines.filter((line) => /^(plugin_name|sensor_name|sensor)\b/i.test(line)).join(' ') : `gen${generation}`;
  return knownSensors.find(([pattern]) => pattern.test(text))?.[1];
}

/** `format EVT21;height=720;width=1280;endianness=legacy`: how the 64-bit words are stored, where the header says it. */
export function endianness(header: CommentHeader): string | undefined {
  return headerValue(header, /^format.*;endianness=(\w+)/i)?.toLowerCase();
}

/** `evt 3.0`, `format EVT3;...`, `EVT2.1`: the version, "2", "2.1" or "3". */
export function evtVersion(header: CommentHeader): '2' | '2.1' | '3' | undefined {
  const text = headerValue(header, /^evt\s+(\d(?:\.\d)?)/i) ?? headerValue(header, /^format\s+EVT\s*(\d(?:\.?\d)?)/i);
  switch (text?.replace(/\.0$/, '')) {
    case '2':
      return '2';
    case '2.1':
    case '21':
      return '2.1';
    case '3':
      return '3';
    default:
      return undefined;
  }
}
