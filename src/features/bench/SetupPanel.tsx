import { activity, benchedNetworks, chooseBench, contestantNames, startRace, stopBench, switchContestant } from '../../commands/bench';
import { usePlayground } from '../../state/store';
import { Button, Panel, SelectField, SwitchField } from '../../ui/controls';
import { contestantTitle } from './words';

const steps = [1, 2, 3, 4, 5, 6, 8, 12, 16].map((count) => ({ id: String(count), label: String(count) }));
const sides = ['own', '64', '128', '192', '256', '320', '416', '512', '640'] as const;
const runs = ['3', '7', '15', '31'] as const;
const pictures = [
  { id: 'smear', label: 'The command line’s blood smear' },
  { id: 'shown', label: 'The Detect page’s picture', description: 'Where that shows a recording, the smear' },
] as const;

/** What is run, on what, how often. */
export function SetupPanel() {
  const models = usePlayground((state) => state.models);
  const { choice, running } = usePlayground((state) => state.bench);
  const networks = benchedNetworks({ models });
  return (
    <Panel title="Engines and setting" aside="Everything runs here, in turn, each engine in a worker of its own">
      <div className="bench-setup">
        <fieldset className="bench-contestants">
          <legend className="field-label">Engines</legend>
          {contestantNames.map((name) => (
            <SwitchField key={name} label={contestantTitle(name)} isOn={choice.contestants.includes(name)} onChange={(isOn) => switchContestant(name, isOn)} />
          ))}
        </fieldset>
        <div className="bench-fields">
          <p className="bench-note">
            {networks.length === 0
              ? 'Loading the model…'
              : `Networks: ${networks.map((slot) => (slot === 'snn' ? `the SNN ${models.snn?.name ?? ''}` : `the ANN twin ${models.ann?.name ?? ''}`)).join(' and ')}, as chosen in the header.`}
          </p>
          <div className="bench-row">
            <SelectField label="Picture" choices={pictures} value={choice.picture} onChange={(picture) => chooseBench({ picture })} />
            <SelectField
              label="Input size"
              choices={sides.map((id) => ({ id, label: id === 'own' ? 'The network’s own' : `${id} px` }))}
              value={sides.find((id) => id === String(choice.side)) ?? 'own'}
              onChange={(id) => chooseBench({ side: id === 'own' ? undefined : Number(id) })}
            />
            <SelectField label="Time steps T" choices={steps} value={String(choice.steps)} onChange={(id) => chooseBench({ steps: Number(id) })} />
            <SelectField
              label="Timed runs"
              choices={runs.map((id) => ({ id, label: id }))}
              value={runs.find((id) => id === String(choice.timedRuns)) ?? '15'}
              onChange={(id) => chooseBench({ timedRuns: Number(id) })}
            />
          </div>
          <SwitchField
            label="Twice as wide"
            description="Every layer with twice the channels, the weights repeated: what a network of the paper’s width costs, with the same firing rates"
            isOn={choice.twiceAsWide}
            onChange={(twiceAsWide) => chooseBench({ twiceAsWide })}
          />
          <div className="bench-row">
            {running === undefined ? (
              <Button look="primary" isDisabled={networks.length === 0 || choice.contestants.length === 0} onPress={() => void startRace()}>
                Run side by side
              </Button>
            ) : (
              <Button onPress={stopBench}>Stop</Button>
            )}
          </div>
          <Progress />
        </div>
      </div>
    </Panel>
  );
}

function Progress() {
  const running = usePlayground((state) => state.bench.running);
  const progress = usePlayground((state) => state.activities[activity]?.progress);
  if (running === undefined) return null;
  const { label = 'Preparing', done = 0, total } = progress ?? {};
  return (
    <div className="bench-progress">
      <progress value={total === undefined ? undefined : done} max={total ?? 1} aria-label={label} />
      <p role="status" data-testid="bench-progress">
        {label}
        {total === undefined ? '…' : `: ${done} of ${total}`}
      </p>
    </div>
  );
}
