import { useState } from 'react';
import { surrogateOf, surrogateShapes, type SurrogateShape } from '../../base/surrogate';
import { changeConfig, chooseStart, setConfigText } from '../../commands/training';
import { usePlayground } from '../../state/store';
import type { TrainingConfig, TrainingState } from '../../state/training';
import { Button, Panel, SelectField } from '../../ui/controls';
import { NumberInput, TextBox, TextInput } from '../../ui/fields';

const modes = [
  { id: 'snn', label: 'Spiking (SNN)', description: 'LIF neurons, T time steps, surrogate gradients' },
  { id: 'ann', label: 'ANN twin', description: 'ReLU in place of every neuron, one pass' },
] as const;
const parts = [
  { id: 'all', label: 'Whole network' },
  { id: 'head', label: 'Head only', description: 'The detection convolutions; all that leads to them stays' },
] as const;
const widths = [0.1875, 0.25, 0.375, 0.5, 0.75, 1];
const sizes = [64, 96, 128, 160, 192, 256, 320, 416, 512, 640];

/** How to train: the main settings as fields, all of them as text. */
export function SettingsPanel() {
  const config = usePlayground((state) => state.training.config);
  const problem = usePlayground((state) => state.training.configProblem);
  return (
    <Panel title="Settings">
      {config ? (
        <>
          <Fields config={config} />
          {problem !== undefined && (
            <p className="train-problem" role="alert">
              {problem}
            </p>
          )}
          <AllSettings config={config} />
        </>
      ) : (
        <p className="train-note">{problem ?? 'Reading the settings…'}</p>
      )}
    </Panel>
  );
}

function Fields({ config }: { config: TrainingConfig }) {
  const startFrom = usePlayground((state) => state.training.startFrom);
  const snn = usePlayground((state) => state.models.snn?.name);
  const ann = usePlayground((state) => state.models.ann?.name);
  const stage = config.stages.at(-1) ?? { epochs: 1, size: 96, steps: 1 };
  const inStages = config.stages.length > 1;
  const set = (changes: Partial<TrainingConfig>): void => void changeConfig(changes);
  const setStage = (changes: Partial<typeof stage>): void => set({ stages: [...config.stages.slice(0, -1), { ...stage, ...changes }] });
  const starts: { id: TrainingState['startFrom']; label: string; description?: string }[] = [
    { id: 'new', label: 'New network', description: 'EMS-Res10 with random weights' },
    ...(snn === undefined ? [] : [{ id: 'snn' as const, label: `The loaded SNN: ${snn}`, description: 'Other classes get a new head' }]),
    ...(ann === undefined ? [] : [{ id: 'ann' as const, label: `The loaded ANN: ${ann}`, description: 'Other classes get a new head' }]),
  ];
  return (
    <div className="train-fields">
      <SelectField label="Start from" choices={starts} value={startFrom} onChange={(start) => void chooseStart(start)} />
      <div className="train-pair">
        <SelectField label="Kind" choices={modes} value={config.mode} onChange={(mode) => set({ mode })} />
        {startFrom === 'new' ? (
          <SelectField
            label="Width"
            choices={withPresent(widths, config.network.widthMultiple).map((width) => ({ id: String(width), label: `× ${width}` }))}
            value={String(config.network.widthMultiple)}
            onChange={(width) => set({ network: { ...config.network, widthMultiple: Number(width) } })}
          />
        ) : (
          <SelectField label="Train" choices={parts} value={config.train} onChange={(train) => set({ train })} />
        )}
        <NumberInput label={inStages ? 'Epochs (last stage)' : 'Epochs'} value={stage.epochs} minimum={1} maximum={100_000} step={1} onChange={(epochs) => setStage({ epochs })} />
        <SelectField
          label="Input size"
          choices={withPresent(sizes, stage.size).map((size) => ({ id: String(size), label: `${size} px` }))}
          value={String(stage.size)}
          onChange={(size) => setStage({ size: Number(size) })}
        />
        <NumberInput label="Time steps T" value={stage.steps} minimum={1} maximum={16} step={1} isDisabled={config.mode === 'ann'} onChange={(steps) => setStage({ steps })} />
        <NumberInput label="Batch" value={config.batch} minimum={1} maximum={256} step={1} onChange={(batch) => set({ batch })} />
        <NumberInput
          label="Learning rate"
          value={config.optimiser.learningRate}
          minimum={1e-6}
          maximum={10}
          format={{ maximumSignificantDigits: 4 }}
          onChange={(learningRate) => set({ optimiser: { ...config.optimiser, learningRate } })}
        />
        <SelectField<SurrogateShape>
          label="Surrogate gradient"
          choices={surrogateShapes.map((id) => ({ id, label: id }))}
          value={config.surrogate.shape}
          onChange={(shape) => set({ surrogate: surrogateOf(shape) })}
        />
        <NumberInput
          label="Penalty on firing"
          value={config.ratePenalty}
          minimum={0}
          maximum={10_000}
          format={{ maximumSignificantDigits: 4 }}
          isDisabled={config.mode === 'ann'}
          onChange={(ratePenalty) => set({ ratePenalty })}
        />
        <ModelName key={config.name} name={config.name} />
      </div>
    </div>
  );
}

/** Taken when the field is left: half a name is no setting. */
function ModelName({ name }: { name: string }) {
  const [text, setText] = useState(name);
  const take = (): void => {
    if (text !== name) void changeConfig({ name: text });
  };
  return (
    <div onBlur={take}>
      <TextInput label="Name of the model" value={text} onChange={setText} onSubmit={take} />
    </div>
  );
}

/** A value that the list does not have is added, so that what is chosen is shown. */
function withPresent(list: readonly number[], present: number): number[] {
  return list.includes(present) ? [...list] : [...list, present].sort((a, b) => a - b);
}

function AllSettings({ config }: { config: TrainingConfig }) {
  const present = JSON.stringify(config, null, 2);
  // What a person typed, as long as it was not taken.
  const [draft, setDraft] = useState<string>();
  const apply = async (): Promise<void> => {
    if (draft !== undefined && (await setConfigText(draft))) setDraft(undefined);
  };
  return (
    <details className="train-all-settings">
      <summary>All settings</summary>
      <TextBox label="As in a configuration file (JSON)" value={draft ?? present} rows={18} onChange={setDraft} />
      <div className="train-row">
        <Button isDisabled={draft === undefined || draft === present} onPress={() => void apply()}>
          Apply
        </Button>
        <Button look="quiet" isDisabled={draft === undefined} onPress={() => setDraft(undefined)}>
          Put back
        </Button>
      </div>
    </details>
  );
}
