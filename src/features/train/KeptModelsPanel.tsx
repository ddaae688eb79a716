import { useState } from 'react';
import { formatShort } from '../../charts/format';
import { deleteKeptModel, loadedName, saveKeptModel } from '../../commands/keptModels';
import { chooseKeptModel } from '../../commands/models';
import { usePlayground } from '../../state/store';
import type { KeptModel } from '../../state/training';
import { Button, Panel } from '../../ui/controls';
import { MenuButton } from '../../ui/MenuButton';
import { formatBytes } from './words';

/** Models that were trained on this machine. */
export function KeptModelsPanel() {
  const models = usePlayground((state) => state.keptModels);
  const total = models.reduce((sum, { bytes }) => sum + bytes, 0);
  return (
    <Panel title="Models trained here" aside={models.length > 0 ? `${formatBytes(total)} in this browser’s storage` : undefined}>
      {models.length === 0 ? (
        <p className="train-note">None yet. A run leaves its model here, in this browser’s storage for the site; it is also in the list at the top.</p>
      ) : (
        <div className="train-table" tabIndex={0} role="region" aria-label="Models trained here">
          <table data-testid="kept-models">
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col">Networks</th>
                <th scope="col">Input</th>
                <th scope="col">mAP50</th>
                <th scope="col">Size</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {models.map((model) => (
                <Row key={model.name} model={model} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Row({ model }: { model: KeptModel }) {
  const { name, slots, inputSize, map50, bytes } = model;
  const isLoaded = usePlayground((state) => slots.some((slot) => state.models[slot]?.name === loadedName(model)));
  const [asksToDelete, askToDelete] = useState(false);
  const files = slots.flatMap((slot) => [
    { id: `${slot}.safetensors`, label: `${slot.toUpperCase()} as .safetensors` },
    { id: `${slot}.pt`, label: `${slot.toUpperCase()} as .pt (PyTorch)` },
    { id: `${slot}.log.jsonl`, label: `${slot.toUpperCase()}: log of the run` },
    { id: `${slot}.config.json`, label: `${slot.toUpperCase()}: configuration` },
  ]);
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{slots.map((slot) => slot.toUpperCase()).join(', ')}</td>
      <td>{inputSize} px</td>
      <td>{slots.map((slot) => (map50[slot] === undefined ? '–' : formatShort(map50[slot]))).join(', ')}</td>
      <td>{formatBytes(bytes)}</td>
      <td>
        <div className="train-row">
          {asksToDelete ? (
            <>
              <span>Delete {name}?</span>
              <Button onPress={() => void deleteKeptModel(name)}>Delete it</Button>
              <Button look="quiet" onPress={() => askToDelete(false)}>
                Keep it
              </Button>
            </>
          ) : (
            <>
              <Button isDisabled={isLoaded} aria-label={`Load ${name}`} onPress={() => void chooseKeptModel(model)}>
                {isLoaded ? 'Loaded' : 'Load'}
              </Button>
              <MenuButton label={`Download ${name}`} entries={() => files} onChoose={(file) => void saveKeptModel(name, file)} />
              <Button look="quiet" aria-label={`Delete ${name}`} onPress={() => askToDelete(true)}>
                Delete
              </Button>
            </>
          )}
        </div>
      </td>
    </tr>
  );
}
