import { describe, expect, it } from 'vitest';
import { contestantTitle, engineTitle, machineTitle } from './words';

describe('the words of the Benchmark page', () => {
  it('name engines as people know them, and leave names that they do not know', () => {
    expect(contestantTitle('this event')).toBe('This program, event-driven CPU');
    expect(contestantTitle('tfjs webgl')).toBe('Stock tfjs, WebGL');
    expect(contestantTitle('onnxruntime-web webgpu')).toBe('onnxruntime-web, WebGPU');
    expect(engineTitle({ engine: 'onnxruntime-node', backend: 'npu' })).toBe('onnxruntime-node, npu');
    expect(engineTitle({ engine: 'this', backend: 'event', threads: 2 })).toBe('This program, event-driven CPU, 2 threads');
  });

  it.each([
    [{ cores: 2, cpu: 'AMD EPYC', node: 'v20.20.2' }, 'AMD EPYC, 2 cores, Node v20.20.2'],
    [{ cores: 1, browser: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36' }, '1 core, Chrome 156'],
    [{ cores: 8, browser: 'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15', gpu: 'WebGPU (apple m2)' }, '8 cores, Safari 18, WebGPU (apple m2)'],
    [{ cores: 4, browser: 'somebody’s own' }, '4 cores, somebody’s own'],
  ])('tell machines shortly', (machine, words) => {
    expect(machineTitle(machine)).toBe(words);
  });
});
