import { describe, expect, it } from 'vitest';
import { countOf, formatBytes, formatDuration } from './words';

describe('words of the Train page', () => {
  it('count', () => {
    expect([countOf(1, 'picture'), countOf(2000, 'picture'), countOf(2, 'class', 'classes')]).toEqual(['1 picture', '2,000 pictures', '2 classes']);
  });

  it('tell sizes', () => {
    expect([formatBytes(10), formatBytes(512_400), formatBytes(7_240_000)]).toEqual(['1 kB', '512 kB', '7.2 MB']);
  });

  it('tell durations', () => {
    expect([0.2, 40, 720, 3600, 11_100].map(formatDuration)).toEqual(['1 s', '40 s', '12 min', '1 h', '3 h 5 min']);
  });
});
