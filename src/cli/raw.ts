import { writeFile } from 'node:fs/promises';
import { writeSafetensors, type WriteEntry } from '../checkpoint/safetensors';
import type { Recording } from '../engine/session';

/**
 * Writes input, logits, decoded boxes and every neuron layer with the names and the axis order of PyTorch:
 * `input` [1, 3, H, W], or `steps` [T, 1, 3, H, W] where each step has its own; `raw.N` [1, anchors, h, w, 5 + classes]; `pred` [1, n, 5 + classes];
 * `neuron.N.membrane`, `neuron.N.spike` [T, 1, C, H, W].
 */
export async function writeRaw(path: string, recording: Recording): Promise<void> {
  const blob = await writeSafetensors(entries(recording));
  await writeFile(path, new Uint8Array(await blob.arrayBuffer()));
}

function* entries({ values, inputSteps, input, run, candidates, anchorsPerScale }: Recording): Generator<WriteEntry> {
  const channels = 3;
  const planes = channelsFirst(values, inputSteps, input.height * input.width, channels);
  if (inputSteps === 1) yield entry('input', [1, channels, input.height, input.width], planes);
  else yield entry('steps', [inputSteps, channels, input.height, input.width], planes);
  for (const [scale, { height, width, mean }] of run.scales.entries()) {
    const outputs = candidates.stride;
    // Anchors are the slow part of our channels, so that the same exchange of axes brings them to the front.
    const data = channelsFirst(mean, 1, height * width, anchorsPerScale, outputs);
    yield entry(`raw.${scale}`, [1, anchorsPerScale, height, width, outputs], data);
  }
  yield entry('pred', [1, candidates.count, candidates.stride], candidates.values);
  for (const { index, shape, membrane, emitted } of [...run.recorded].sort((a, b) => a.index - b.index)) {
    const area = shape.height * shape.width;
    const axes = [shape.steps, 1, shape.channels, shape.height, shape.width];
    yield entry(`neuron.${index}.membrane`, axes, channelsFirst(membrane, shape.steps, area, shape.channels));
    yield entry(`neuron.${index}.spike`, axes, channelsFirst(emitted, shape.steps, area, shape.channels));
  }
}

function entry(name: string, shape: number[], data: Float32Array): WriteEntry {
  return { name, shape, storedAs: 'float32', data };
}

/** `[count, area, channels, inner]` to `[count, channels, area, inner]`. */
function channelsFirst(source: Float32Array, count: number, area: number, channels: number, inner = 1): Float32Array {
  const target = new Float32Array(source.length);
  for (let n = 0; n < count; n++) {
    for (let place = 0; place < area; place++) {
      for (let channel = 0; channel < channels; channel++) {
        const from = ((n * area + place) * channels + channel) * inner;
        target.set(source.subarray(from, from + inner), ((n * channels + channel) * area + place) * inner);
      }
    }
  }
  return target;
}
