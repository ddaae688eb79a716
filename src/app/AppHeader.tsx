import { Button, SelectField } from '../ui/controls';
import { chooseBackend, chooseShippedModel, shippedModels } from '../commands/models';
import { choosePage } from '../commands/pages';
import { chooseTheme } from '../commands/theme';
import { usePlayground } from '../state/store';
import { pages } from './pages';

const backendChoices = [
  { id: 'auto', label: 'Automatic', description: 'WebGPU on a real GPU, else the CPU' },
  { id: 'webgpu', label: 'WebGPU', description: 'Also a software GPU, which is slower than the CPU' },
  { id: 'event', label: 'CPU (event-driven)', description: 'Visits only the neurons that fired' },
  { id: 'wasm', label: 'CPU (tfjs)', description: 'Multiplies by every zero, to compare with' },
  { id: 'webgl', label: 'WebGL', description: 'For GPUs without WebGPU' },
  { id: 'reference', label: 'Reference', description: 'Plain JavaScript, slow, to compare with' },
] as const;

const themes = [
  { id: 'system', label: 'System theme' },
  { id: 'light', label: 'Light' },
  { id: 'dark', label: 'Dark' },
] as const;

export function AppHeader({ onHelp }: { onHelp: () => void }) {
  const model = usePlayground((state) => state.models.snn);
  const backend = usePlayground((state) => state.backend);
  const preference = usePlayground((state) => state.backendPreference);
  const theme = usePlayground((state) => state.view.theme);
  const choices = shippedModels.map(({ name, title }) => ({ id: name as string, label: title }));
  const shipped = choices.find(({ id }) => id === model?.name);
  return (
    <header className="app-header">
      <h1>
        EMS-YOLO <span>Playground</span>
      </h1>
      <PageLinks />
      <div className="app-header-controls">
        <SelectField
          label="Model"
          hideLabel
          choices={shipped || !model ? choices : [...choices, { id: model.name, label: model.name }]}
          value={model?.name}
          placeholder="Loading the model…"
          onChange={(name) => {
            if (shippedModels.some((known) => known.name === name)) void chooseShippedModel(name);
          }}
        />
        <SelectField
          label="Backend"
          hideLabel
          choices={backendChoices.map((choice) =>
            choice.id === preference && backend
              ? { ...choice, label: choice.id === 'auto' ? `Automatic: ${backend.label}` : backend.label, description: backend.reason }
              : choice,
          )}
          value={preference}
          onChange={(id) => void chooseBackend(id)}
        />
        <SelectField label="Theme" hideLabel choices={themes} value={theme} onChange={chooseTheme} />
        <Button look="quiet" aria-label="Help and keys" onPress={onHelp}>
          ?
        </Button>
      </div>
    </header>
  );
}

function PageLinks() {
  const page = usePlayground((state) => state.view.page);
  return (
    <nav className="page-links" aria-label="Pages">
      {[{ name: 'detect' as const, title: 'Detect' }, ...pages].map(({ name, title }) => (
        <button key={name} type="button" aria-current={name === page ? 'page' : undefined} onClick={() => choosePage(name)}>
          {title}
        </button>
      ))}
    </nav>
  );
}
