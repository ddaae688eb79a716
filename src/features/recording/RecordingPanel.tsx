import { useMemo, useRef } from 'react';
import { RateTimeline } from '../../charts/RateTimeline';
import { StepSlices } from '../../charts/StepSlices';
import {
  openLabels,
  pauseRecording,
  saveRecordingAs,
  setRecordingSettings,
  setWindow,
  stepWindow,
  toggleRecording,
} from '../../commands/recordings';
import { showStep } from '../../commands/timeline';
import { usePlayground, type RecordingState } from '../../state/store';
import { Button, Panel, SelectField, SwitchField } from '../../ui/controls';
import { coveringRate, nearZeroUs } from './coveringRate';
import { Statistics } from './Statistics';
import { TableFields } from './TableFields';
import { formatUs, savedFormats } from './words';
import './recording.css';

/** The player of an event recording: its clock, the window that the networks see, and how that becomes their input. */
export function RecordingPanel() {
  const recording = usePlayground((state) => state.recording);
  if (!recording) return null;
  const { format, summary } = recording.scanned;
  const { sensor, sensorIsKnown } = summary;
  return (
    <Panel
      title="Recording"
      className="recording"
      aside={`${format}, ${sensor.width} × ${sensor.height}${sensorIsKnown ? '' : ' (size inferred from the events)'}`}
    >
      <Player recording={recording} />
      <UnknownClasses recording={recording} />
      <Rate recording={recording} />
      <Slices recording={recording} />
      <div className="recording-columns">
        <WindowFields recording={recording} />
        <Statistics recording={recording} />
      </div>
      <TableFields recording={recording} />
      <Files />
    </Panel>
  );
}

const speeds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].map((speed) => ({ id: String(speed), label: `${speed}×` }));

/** Times count from the recording's beginning; a clock that begins near zero is shown as it is. */
function clockOf({ scanned }: RecordingState, timeUs: number): string {
  const firstUs = scanned.summary.minUs ?? 0;
  return formatUs(firstUs < nearZeroUs ? timeUs : timeUs - firstUs);
}

function Player({ recording }: { recording: RecordingState }) {
  const { playing, fromUs, settings } = recording;
  return (
    <div className="recording-player">
      <Button aria-label="Previous window" onPress={() => stepWindow(-1)}>
        <span aria-hidden="true">◀</span>
      </Button>
      <Button look="primary" aria-pressed={playing} onPress={toggleRecording}>
        {playing ? 'Pause recording' : 'Play recording'}
      </Button>
      <Button aria-label="Next window" onPress={() => stepWindow(1)}>
        <span aria-hidden="true">▶</span>
      </Button>
      <SelectField
        label="Playing speed"
        hideLabel
        choices={speeds}
        value={String(settings.speed)}
        onChange={(speed) => setRecordingSettings({ speed: Number(speed) })}
      />
      <p className="recording-clock" data-testid="recording-clock">
        {clockOf(recording, fromUs)} to {clockOf(recording, fromUs + settings.windowUs)}
      </p>
      <SwitchField
        label="Detect while playing"
        isOn={settings.detectWhilePlaying}
        onChange={(detectWhilePlaying) => setRecordingSettings({ detectWhilePlaying })}
      />
    </div>
  );
}

/** Labels that no network here can find are no fault of it. */
function UnknownClasses({ recording: { truth } }: { recording: RecordingState }) {
  const classNames = usePlayground((state) => state.models.snn?.classNames);
  const named = truth.flatMap(({ name }) => name ?? []);
  if (!classNames || named.length === 0 || named.some((name) => classNames.includes(name))) return null;
  return (
    <p className="recording-note">
      The labels of this recording ({[...new Set(named)].join(', ')}) are no classes of the network, which knows {classNames.slice(0, 3).join(', ')}
      {classNames.length > 3 ? ', …' : ''}. Open a checkpoint that was trained on them to find them.
    </p>
  );
}

function Rate({ recording: { scanned, fromUs, settings, truth } }: { recording: RecordingState }) {
  const theme = usePlayground((state) => state.view.shownTheme);
  const steps = usePlayground((state) => state.run.steps);
  const step = usePlayground((state) => state.view.step);
  const { windowUs } = settings;
  const borders = useMemo(
    () => Array.from({ length: steps - 1 }, (_, index) => fromUs + ((index + 1) * windowUs) / steps),
    [fromUs, windowUs, steps],
  );
  const bins = useMemo(() => coveringRate(scanned.summary.rate, fromUs, fromUs + windowUs), [scanned.summary.rate, fromUs, windowUs]);
  const marks = useMemo(() => [...new Set(truth.flatMap(({ timeUs }) => timeUs ?? []))], [truth]);
  return (
    <RateTimeline
      bins={bins}
      windowUs={[fromUs, fromUs + windowUs]}
      stepsUs={borders}
      currentUs={fromUs + ((step + 1) * windowUs) / steps}
      marks={marks}
      progress={scanned.total > 0 ? scanned.done / scanned.total : 1}
      theme={theme}
      onWindow={(from, to) => {
        pauseRecording();
        setWindow(from, to);
      }}
    />
  );
}

function Slices({ recording }: { recording: RecordingState }) {
  const { fromUs, settings } = recording;
  const source = usePlayground((state) => state.source);
  const theme = usePlayground((state) => state.view.shownTheme);
  const step = usePlayground((state) => state.view.step);
  const slices = source?.kind === 'events' ? source.slices : undefined;
  const shown = useMemo(() => slices && { ...slices, values: toPolarity(slices.values, settings.representation) }, [slices, settings.representation]);
  if (!shown) return null;
  const sliceUs = settings.windowUs / shown.steps;
  return (
    <StepSlices
      steps={shown.steps}
      width={shown.width}
      height={shown.height}
      values={shown.values}
      step={Math.min(step, shown.steps - 1)}
      labels={Array.from({ length: shown.steps }, (_, index) => `${clockOf(recording, fromUs + index * sliceUs)} to ${clockOf(recording, fromUs + (index + 1) * sliceUs)}`)}
      onStep={showStep}
      theme={theme}
    />
  );
}

/** One value a pixel, on the scale of Gen1's pictures: ON above, OFF below 127 of 255. */
function toPolarity(values: Float32Array, representation: RecordingState['settings']['representation']): Float32Array {
  const shown = new Float32Array(values.length / 3);
  const split = representation === 'counts' || representation === 'surface';
  for (let pixel = 0; pixel < shown.length; pixel++) {
    const first = values[pixel * 3] ?? 0;
    shown[pixel] = split ? noEvent + (first * 128 - (values[pixel * 3 + 1] ?? 0) * 127) / 255 : first;
  }
  return shown;
}

const noEvent = 127 / 255;

const representationChoices = [
  { id: 'gen1', label: 'Gen1', description: 'Last polarity of each slice, as EMS-YOLO is trained' },
  { id: 'gen1-slice-0', label: 'Gen1, slice 0 at every step', description: 'What the released loader does: time is lost' },
  { id: 'counts', label: 'Counts', description: 'ON and OFF events of each slice' },
  { id: 'surface', label: 'Time surface', description: 'How fresh each pixel’s last event is' },
] as const;
const fits = [
  { id: 'stretch', label: 'stretched', description: 'As for Gen1: the aspect changes' },
  { id: 'letterbox', label: 'letterboxed' },
] as const;
const views = [
  { id: 'polarity', label: 'last polarity' },
  { id: 'surface', label: 'time surface' },
] as const;
const durations = [1, 2, 5, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000];

function WindowFields({ recording: { settings } }: { recording: RecordingState }) {
  return (
    <div className="recording-fields">
      <DurationField label="Window" valueUs={settings.windowUs} onChange={(windowUs) => setRecordingSettings({ windowUs })} />
      <DurationField label="Moves on by" valueUs={settings.cadenceUs} onChange={(cadenceUs) => setRecordingSettings({ cadenceUs })} />
      <SelectField
        label="Network sees"
        choices={representationChoices}
        value={settings.representation}
        onChange={(representation) => setRecordingSettings({ representation })}
      />
      <SelectField label="On its input" choices={fits} value={settings.fit} onChange={(fit) => setRecordingSettings({ fit })} />
      <SelectField label="Picture shows" choices={views} value={settings.view} onChange={(view) => setRecordingSettings({ view })} />
      <SwitchField
        label="Leave out hot pixels"
        isOn={settings.withoutHotPixels}
        onChange={(withoutHotPixels) => setRecordingSettings({ withoutHotPixels })}
      />
      <SwitchField
        label="Carry membranes over (experiment)"
        description="A window that follows on the last one starts from the membranes that it left."
        isOn={settings.carryMembranes}
        onChange={(carryMembranes) => setRecordingSettings({ carryMembranes })}
      />
    </div>
  );
}

/** A choice of durations that keeps a window which a person drew. */
function DurationField({ label, valueUs, onChange }: { label: string; valueUs: number; onChange: (us: number) => void }) {
  const known = durations.map((ms) => ms * 1000);
  const all = known.includes(valueUs) ? known : [...known, valueUs].sort((a, b) => a - b);
  return (
    <SelectField
      label={label}
      choices={all.map((us) => ({ id: String(us), label: formatUs(us) }))}
      value={String(valueUs)}
      onChange={(id) => onChange(Number(id))}
    />
  );
}

function Files() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="recording-files">
      <Button onPress={() => input.current?.click()}>Open boxes…</Button>
      <input
        ref={input}
        type="file"
        multiple
        className="visually-hidden"
        tabIndex={-1}
        aria-label="Open boxes for the recording"
        accept=".npy,.xml,.txt"
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = '';
          if (files.length > 0) void openLabels(files);
        }}
      />
      <SelectField
        label="Save as"
        hideLabel
        placeholder="Save as…"
        choices={savedFormats}
        value={undefined}
        onChange={(id) => {
          const chosen = savedFormats.find((format) => format.id === id);
          if (chosen) void saveRecordingAs(chosen.id, chosen.ending);
        }}
      />
    </div>
  );
}
