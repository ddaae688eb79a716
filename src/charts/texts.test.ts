import { describe, expect, it } from 'vitest';
import { boxText, describeBoxes } from './boxText';
import { formatCount, formatExact, formatRate, formatShare, formatShort } from './format';

describe('numbers', () => {
  it('are written the same way everywhere', () => {
    expect(formatCount(1234567)).toBe('1,234,567');
    expect(formatExact(-0.25)).toBe('−0.2500');
    expect(formatShort(0.5)).toBe('0.5');
    expect(formatShort(-1.2345)).toBe('−1.23');
  });

  it('stay readable over many orders of magnitude', () => {
    expect([2.1876, 0.0465, 1510, 1.34e18, 1.72e-12, 0, undefined].map(formatShare)).toEqual(['2.19', '0.0465', '1,510', '1.34e+18', '1.72e-12', '0', '–']);
  });

  it('keep small rates apart from none', () => {
    expect([0, 0.00042, 0.1234, 1].map(formatRate)).toEqual(['0.0%', '0.04%', '12.3%', '100.0%']);
  });
});

describe('boxes in words', () => {
  const box = (score: number) => ({ box: [0, 0, 1, 1] as const, score, class: 0, name: 'RBC' });

  it('carry the name and the score', () => {
    expect(boxText(box(0.874))).toBe('RBC 0.87');
  });

  it('name the best five', () => {
    expect(describeBoxes('SNN', [])).toBe('SNN: no boxes.');
    expect(describeBoxes('SNN', [box(0.5)])).toBe('SNN: 1 box: RBC 0.50.');
    const many = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7].map(box);
    expect(describeBoxes('SNN', many)).toBe('SNN: 6 boxes: RBC 0.90, RBC 0.80, RBC 0.70, RBC 0.30, RBC 0.20 and 1 more.');
  });

  it('say how they compare with the labels', () => {
    const missed = { box: [0, 0, 1, 1] as const, class: 0, name: 'car', kind: 'missed' as const };
    const found = { ...missed, score: 0.5 };
    expect(boxText(missed)).toBe('missed car');
    expect(boxText({ ...found, kind: 'false' })).toBe('false car 0.50');
    expect(boxText({ ...found, kind: 'matched' })).toBe('car 0.50');
    expect(describeBoxes('Events', [missed, { ...found, kind: 'matched' }])).toBe('Events: 2 boxes (1 matched, 1 missed): car 0.50, missed car.');
  });
});
