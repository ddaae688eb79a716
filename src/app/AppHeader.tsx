import { Button, SelectField } from '../ui/controls';
import { MenuButton } from '../ui/MenuButton';
import { loadedName } from '../commands/keptModels';
import { chooseBackend, chooseKeptModel, chooseShippedModel, mostThreads, shippedModels } from '../commands/models';
import { choosePage } from '../commands/pages';
import { commandsNow, type Command } from '../commands/registry';
import { copyLink } from '../commands/shared';
import { chooseTheme } from '../commands/theme';
import { showDialog, togglePanel } from '../commands/view';
import { hideablePanels, panelTitles } from '../state/names';
import { usePlayground, type PanelName } from '../state/store';
import { allPages } from './pages';

/** Measured with e2e/benchWebgpu.ts on 20 drawn smears at 256 px (decision 0015). */
const halfPrecisionEffect = 'Weights and sums of 16 bits: of 408 boxes on 20 drawn smears (256 px) 13 went and 10 came, the others overlap by 0.91';

const backendChoices = [
  { id: 'auto', label: 'Automatic', description: 'WebGPU on a real GPU, else the CPU' },
  { id: 'webgpu', label: 'WebGPU', description: 'Also a software GPU, which is slower than the CPU' },
  { id: 'webgpu-half', label: 'WebGPU (16-bit)', description: halfPrecisionEffect },
  { id: 'event', label: 'CPU (event-driven)', description: 'Visits only the neurons that fired' },
  { id: 'wasm', label: 'CPU (tfjs)', description: 'Multiplies by every zero, to compare with' },
  { id: 'webgl', label: 'WebGL', description: 'For GPUs without WebGPU' },
  { id: 'reference', label: 'Reference', description: 'Plain JavaScript, slow, to compare with' },
] as const;

const threadChoices = Array.from({ length: mostThreads }, (_, index) => ({
  id: String(index + 1),
  label: index === 0 ? '1 thread' : `${index + 1} threads`,
}));

const themes = [
  { id: 'system', label: 'System theme' },
  { id: 'light', label: 'Light' },
  { id: 'dark', label: 'Dark' },
] as const;

export function AppHeader() {
  const model = usePlayground((state) => state.models.snn);
  const backend = usePlayground((state) => state.backend);
  const preference = usePlayground((state) => state.backendPreference);
  const threads = usePlayground((state) => state.threads);
  const theme = usePlayground((state) => state.view.theme);
  const kept = usePlayground((state) => state.keptModels);
  const choices = [
    ...shippedModels.map(({ name, title }) => ({ id: name as string, label: title })),
    ...kept.map((own) => ({ id: loadedName(own), label: loadedName(own), description: own.title })),
  ];
  const known = choices.find(({ id }) => id === model?.name);
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
          choices={known || !model ? choices : [...choices, { id: model.name, label: model.name }]}
          value={model?.name}
          placeholder="Loading the model…"
          onChange={(name) => {
            const own = kept.find((each) => loadedName(each) === name);
            if (own) void chooseKeptModel(own);
            else if (shippedModels.some((each) => each.name === name)) void chooseShippedModel(name);
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
        {backend?.name === 'event' && mostThreads > 1 && (
          <SelectField
            label="Threads"
            hideLabel
            choices={threadChoices}
            value={String(threads)}
            onChange={(id) => void chooseBackend(preference, Number(id))}
          />
        )}
        <SelectField label="Theme" hideLabel choices={themes} value={theme} onChange={chooseTheme} />
        <PanelsMenu />
        <Button look="quiet" onPress={() => void copyLink()}>
          Share
        </Button>
        <MenuButton
          label="Export"
          entries={() => exports().map(({ id, title }) => ({ id, label: title }))}
          onChoose={(chosen) => exports().find(({ id }) => id === chosen)?.run()}
        />
        <Button look="quiet" onPress={() => showDialog('commands')}>
          Commands <kbd aria-hidden="true">/</kbd>
        </Button>
        <Button look="quiet" aria-label="Help and keys" onPress={() => showDialog('help')}>
          ?
        </Button>
      </div>
    </header>
  );
}

/** The picture first: it is what most people want. */
function exports() {
  const all = commandsNow().filter(({ id }) => /^(export|import):/.test(id));
  const isPicture = ({ id }: Command): boolean => id.startsWith('export:picture');
  return [...all.filter(isPicture), ...all.filter((command) => !isPicture(command))];
}

/** For lessons: a link to the page has the same panels hidden. */
function PanelsMenu() {
  const hidden = usePlayground((state) => state.view.hidden);
  return (
    <MenuButton
      label={hidden.length === 0 ? 'Panels' : `Panels (${hidden.length} hidden)`}
      entries={() => hideablePanels.map((name) => ({ id: name, label: panelTitles[name] }))}
      checked={new Set(hideablePanels.filter((name) => !hidden.includes(name)))}
      onChoose={(name) => togglePanel(name as PanelName)}
    />
  );
}

function PageLinks() {
  const page = usePlayground((state) => state.view.page);
  return (
    <nav className="page-links" aria-label="Pages">
      {allPages.map(({ name, title }) => (
        <button key={name} type="button" aria-current={name === page ? 'page' : undefined} onClick={() => choosePage(name)}>
          {title}
        </button>
      ))}
    </nav>
  );
}
