import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from '../base/schema';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { writePyTorch } from '../checkpoint/exportPyTorch';
import { openCheckpoint } from '../checkpoint/open';
import { writeSafetensors, type WriteEntry } from '../checkpoint/safetensors';
import type { Checkpoint, NetworkDescription } from '../checkpoint/types';
import type { NetworkGraph } from '../network/graph';
import { anchorsOfCheckpoint, expectedTensors, graphOfCheckpoint } from '../network/weights';
import { mode as modeSchema, parseOption } from './arguments';
import { openFile, terminalTask } from './surroundings';

/** `convert IN OUT`: a checkpoint in the other format, with what its network reads and nothing else. */
export async function convertCommand(args: string[]): Promise<void> {
  const { values: options, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { mode: { type: 'string' }, half: { type: 'boolean', default: false } },
  });
  const [input, output] = positionals;
  if (input === undefined || output === undefined || positionals.length > 2) {
    throw new AppError('usage', 'convert needs the name of the checkpoint and the name of the file to write.', 'See the usage below.');
  }
  const format = parseOption('OUT', /\.(\w+)$/.exec(output)?.[1], z.enum(['pt', 'safetensors'], { error: 'it must end in .pt or .safetensors' }));
  const task = terminalTask();
  const checkpoint = await openCheckpoint(await openFile(input), task);
  const graph = graphOfCheckpoint(checkpoint);
  const anchors = await anchorsOfCheckpoint(graph, checkpoint, task);
  const description: NetworkDescription = { ...graph.description, anchors };
  const mode = options.mode === undefined ? (checkpoint.mode ?? 'snn') : parseOption('mode', options.mode, modeSchema);
  const entries = entriesOf(graph, checkpoint, anchors, options.half, task);
  const blob =
    format === 'pt'
      ? await writePyTorch(entries, { description })
      : await writeSafetensors(entries, { mode, description });
  await writeFile(output, new Uint8Array(await blob.arrayBuffer()));
  process.stdout.write(`${output}: ${(blob.size / 1e6).toFixed(2)} MB\n`);
}

/** Weights as they are stored unless halved; anchors in grid units, as the released code stores them. */
async function* entriesOf(
  graph: NetworkGraph,
  checkpoint: Checkpoint,
  anchors: readonly (readonly number[])[],
  half: boolean,
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
  };
}
