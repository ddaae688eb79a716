import { describe, expect, it } from 'vitest';
import { endianness, readCommentHeader, sensorOf } from './rawHeader';

const headerOf = (text: string, ...data: number[]): ReturnType<typeof readCommentHeader> => readCommentHeader(new Uint8Array([...new TextEncoder().encode(text), ...data]));

describe('where a header ends', () => {
  const text = '% evt 3.0\n% geometry 640x480\n';

  it('after `% end`, though the data looks like one more line', () => {
    expect(headerOf(`${text}% end\n`, 0x25, 0x20, 0x0a)).toEqual({ lines: ['evt 3.0', 'geometry 640x480'], dataOffset: text.length + 6 });
  });

  it('before data that begins with a percent sign, where there is no `% end`', () => {
    expect(headerOf(text, 0x25, 0x80, 0x0a, 0x60).dataOffset).toBe(text.length);
  });

  it('before a line that is too long for one', () => {
    expect(headerOf(text, 0x25, 0x20, ...new Array<number>(5000).fill(0x20), 0x0a).dataOffset).toBe(text.length);
  });

  it('at the end of a file that is cut off within it', () => {
    expect(headerOf('% evt 3.0\n% geome')).toEqual({ lines: ['evt 3.0'], dataOffset: 10 });
  });
});

it.each([
  ['% generation 320.0\n', { width: 320, height: 320 }],
  ['% sensor_name GenX320\n', { width: 320, height: 320 }],
  ['% sensor_generation 3.1\n', { width: 640, height: 480 }],
  ['% geometry 99999x480\n% sensor_generation 4.2\n', { width: 1280, height: 720 }],
  ['% Width 304\r\n% Height 240\r\n', { width: 304, height: 240 }],
  ['% Width 0\n% Height 240\n', undefined],
])('the sensor of %j', (text, sensor) => {
  expect(sensorOf(headerOf(text))).toEqual(sensor);
});

it('the order of the halves of a word is read where the format names it', () => {
  expect(endianness(headerOf('% format EVT21;height=720;width=1280;endianness=legacy\n'))).toBe('legacy');
  expect(endianness(headerOf('% format EVT21;height=720;width=1280\n'))).toBeUndefined();
});
