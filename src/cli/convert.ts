import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from '../base/schema';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { writePyTorch } from '../checkpoint/exportPyTorch';
import { openCheckpoint } from '../checkpoint/open';
import { writeSafetensors, type WriteEntry } from '../checkpoint/safetensors';
import type { Checkpoint, NetworkDescription, NetworkMode } from '../checkpoint/types';
import { conversionOfCheckpoint, conversionTensors, type Conversion } from '../network/conversion';
import type { NetworkGraph } from '../network/graph';
import { trainedNeuron } from '../network/network';
import { exportOnnx } from '../network/onnx';
import { anchorsOfCheckpoint, expectedTensors, graphOfCheckpoint } from '../network/weights';
import { measureConversion } from './annToSnn';
import { inputSide, mode as modeSchema, parseOption, stepCount } from './arguments';
import { openFile, terminalTask } from './surroundings';

/** `convert IN OUT`: a checkpoint in another format, with what its network reads and nothing else; or the network as an ONNX file. */
export async function convertCommand(args: string[]): Promise<void> {
  const { values: options, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      mode: { type: 'string' },
      half: { type: 'boolean' },
      steps: { type: 'string' },
      size: { type: 'string' },
      slices: { type: 'boolean' },
      'ann-to-snn': { type: 'boolean', default: false },
      calibrate: { type: 'string', multiple: true },
      normalisation: { type: 'string' },
      percentile: { type: 'string' },
      burst: { type: 'string' },
    },
  });
  const [input, output] = positionals;
  if (input === undefined || output === undefined || positionals.length > 2) {
    throw new AppError('usage', 'convert needs the name of the checkpoint and the name of the file to write.', 'See the usage below.');
  }
  const format = parseOption('OUT', /\.(\w+)$/.exec(output)?.[1], z.enum(['pt', 'safetensors', 'onnx'], { error: 'it must end in .pt, .safetensors or .onnx' }));
  const converts = options['ann-to-snn'];
  refuseWhereUnused(format, converts, options);
  const steps = parseOption('steps', options.steps ?? '4', stepCount);
  const side = options.size === undefined ? undefined : parseOption('size', options.size, inputSide);
  const task = terminalTask();
  const file = await openFile(input);
  const checkpoint = await openCheckpoint(file, task);
  const mode = options.mode === undefined ? (checkpoint.mode ?? 'snn') : parseOption('mode', options.mode, modeSchema);
  const blob =
    format === 'onnx'
      ? await exportOnnx(
          checkpoint,
          { mode, steps, ...trainedNeuron, pictureForEachStep: options.slices ?? false, size: side === undefined ? undefined : { width: side, height: side } },
          task,
        )
      : await writeCheckpoint(
          checkpoint,
          format,
          converts
            ? { mode: 'snn', conversion: await measureConversion(file, basename(input), options, task) }
            : { mode, conversion: await conversionOfCheckpoint(checkpoint, task) },
          options.half ?? false,
          task,
        );
  await writeFile(output, new Uint8Array(await blob.arrayBuffer()));
  process.stdout.write(`${output}: ${(blob.size / 1e6).toFixed(2)} MB\n`);
}

function refuseWhereUnused(format: 'pt' | 'safetensors' | 'onnx', converts: boolean, options: Readonly<Record<string, unknown>>): void {
  const ofConversion = ['calibrate', 'normalisation', 'percentile', 'burst'];
  const unused =
    format === 'onnx'
      ? ['half', ...ofConversion].find((name) => options[name] !== undefined) ?? (converts ? 'ann-to-snn' : undefined)
      : ['steps', 'slices', ...(converts ? ['mode'] : ['size', ...ofConversion])].find((name) => options[name] !== undefined);
  if (unused === undefined) return;
  const what = converts ? 'a conversion from ANN to SNN' : `a .${format} file`;
  throw new AppError('usage', `The option --${unused} means nothing for ${format === 'onnx' ? 'a .onnx file' : what}.`, 'See the usage below.');
}

async function writeCheckpoint(
  checkpoint: Checkpoint,
  format: 'pt' | 'safetensors',
  { mode, conversion }: { mode: NetworkMode; conversion: Conversion | undefined },
  half: boolean,
  task: Task,
): Promise<Blob> {
  const graph = graphOfCheckpoint(checkpoint);
  const anchors = await anchorsOfCheckpoint(graph, checkpoint, task);
  const description: NetworkDescription = { ...graph.description, anchors };
  const entries = entriesOf(graph, checkpoint, anchors, { half, conversion }, task);
  return format === 'pt' ? writePyTorch(entries, { description }) : writeSafetensors(entries, { mode, description });
}

/** Weights as they are stored unless halved; anchors in grid units, as the released code stores them. */
async function* entriesOf(
  graph: NetworkGraph,
  checkpoint: Checkpoint,
  anchors: readonly (readonly number[])[],
  { half, conversion }: { half: boolean; conversion: Conversion | undefined },
  task: Task,
): AsyncGenerator<WriteEntry> {
  for (const [name, shape] of expectedTensors(graph)) {
    const stored = checkpoint.tensors.get(name)?.storedAs;
    yield { name, shape, storedAs: half || stored === 'float16' ? 'float16' : 'float32', data: await checkpoint.read(name, task) };
  }
  const inGridUnits = graph.scales.flatMap(({ stride }, scale) => (anchors[scale] ?? []).map((side) => side / stride));
  yield {
    name: graph.anchorsName,
    shape: [graph.scales.length, graph.anchorsPerScale, 2],
    storedAs: 'float32',
    data: Float32Array.from(inGridUnits),
  };  // Thresholds keep their precision: a neuron counts up to them hundreds of times.
  if (conversion) for (const tensor of conversionTensors(graph, conversion)) yield { ...tensor, storedAs: 'float32' };
}
