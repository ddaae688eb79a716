import { Button, SelectField } from '../../ui/controls';
import { moveStep, pause, setSpeed, showStep, togglePlay } from '../../commands/timeline';
import { usePlayground } from '../../state/store';
import './timeline.css';

const speeds = [
  { id: '0.5', label: '0.5 steps/s' },
  { id: '1', label: '1 step/s' },
  { id: '2', label: '2 steps/s' },
  { id: '4', label: '4 steps/s' },
  { id: '8', label: '8 steps/s' },
];

/** The one clock: the step chosen here is the one that every view shows. */
export function Timeline() {
  const { step, playing, speed } = usePlayground((state) => state.view);
  const steps = usePlayground((state) => state.results.snn?.result.steps ?? state.run.steps);
  return (
    <section className="timeline" aria-label="Timeline">
      <div className="timeline-transport">
        <Button aria-label="Previous step" onPress={() => moveStep(-1)} isDisabled={step === 0}>
          <span aria-hidden="true">◀</span>
        </Button>
        <Button look="primary" onPress={togglePlay} aria-pressed={playing}>
          {playing ? 'Pause' : 'Play'}
        </Button>
        <Button aria-label="Next step" onPress={() => moveStep(1)} isDisabled={step >= steps - 1}>
          <span aria-hidden="true">▶</span>
        </Button>
      </div>
      <div className="timeline-steps" role="group" aria-label="Time step">
        <span className="field-label">step</span>
        {Array.from({ length: steps }, (_, index) => (
          <button
            key={index}
            type="button"
            className="timeline-step"
            aria-label={`Step ${index + 1} of ${steps}`}
            aria-current={index === step ? 'step' : undefined}
            onClick={() => {
              pause();
              showStep(index);
            }}
          >
            {index + 1}
          </button>
        ))}
      </div>
      <p className="timeline-text" aria-live="off">
        Boxes from the mean logits of {step === 0 ? 'step 1' : `steps 1 to ${step + 1}`} of {steps}
      </p>
      <SelectField label="Speed" hideLabel choices={speeds} value={String(speed)} onChange={(id) => setSpeed(Number(id))} />
    </section>
  );
}
