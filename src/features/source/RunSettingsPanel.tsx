import { Button, Panel, SelectField, SliderField } from '../../ui/controls';
import { mutedName, restoreMuted, toggleMuted } from '../../commands/explain';
import { isAsTrained, putBackTrained, setDetection, setRun } from '../../commands/run';
import { usePlayground } from '../../state/store';

const resets = [
  { id: 'hard', label: 'hard: to zero (as trained)' },
  { id: 'soft', label: 'soft: by the threshold' },
] as const;

const inputSizes = ['native', '128', '160', '192', '224', '256', '320', '416', '512', '640'] as const;

/** What the networks run with. Everything is live; one control puts the trained values back. */
export function RunSettingsPanel() {
  const run = usePlayground((state) => state.run);
  const detection = usePlayground((state) => state.detection);
  const model = usePlayground((state) => state.models.snn);
  const asTrained = usePlayground(isAsTrained);
  return (
    <Panel
      title="Run"
      aside={
        <Button look="quiet" isDisabled={asTrained} onPress={putBackTrained}>
          As trained
        </Button>
      }
    >
      <div className="settings">
        <SliderField label="Time steps T" value={run.steps} minimum={1} maximum={16} step={1} onChange={(steps) => setRun({ steps })} />
        <SliderField
          label="Threshold"
          value={run.threshold}
          minimum={0.05}
          maximum={2}
          step={0.05}
          format={{ minimumFractionDigits: 2 }}
          onChange={(threshold) => setRun({ threshold })}
        />
        <SliderField
          label="Decay"
          value={run.decay}
          minimum={0}
          maximum={1}
          step={0.05}
          format={{ minimumFractionDigits: 2 }}
          onChange={(decay) => setRun({ decay })}
        />
        <SelectField
          label="Reset"
          choices={resets}
          value={run.reset}
          onChange={(reset) => setRun({ reset })}
        />
        <SliderField
          label="Confidence"
          value={detection.confidence}
          minimum={0.01}
          maximum={0.95}
          step={0.01}
          format={{ minimumFractionDigits: 2 }}
          onChange={(confidence) => setDetection({ confidence })}
        />
        <SliderField
          label="NMS IoU"
          value={detection.iou}
          minimum={0.05}
          maximum={0.95}
          step={0.05}
          format={{ minimumFractionDigits: 2 }}
          onChange={(iou) => setDetection({ iou })}
        />
        <SelectField
          label="Network input"
          choices={inputSizes.map((id) => ({
            id,
            label: id === 'native' ? (model?.inputSize ? `${model.inputSize} px (as trained)` : 'as the picture is') : `${id} px`,
          }))}
          value={inputSizes.find((id) => id === String(run.inputSize))}
          onChange={(id) => setRun({ inputSize: id === 'native' ? id : Number(id) })}
        />
      </div>
      {run.muted.length > 0 && (
        <div className="settings-muted" role="group" aria-label="Muted in the SNN">
          <span className="field-label">Muted in the SNN</span>
          <ul>
            {run.muted.map((muted) => (
              <li key={mutedName(muted)}>
                {mutedName(muted)}
                <Button look="quiet" aria-label={`Unmute ${mutedName(muted)}`} onPress={() => toggleMuted(muted)}>
                  ✕
                </Button>
              </li>
            ))}
          </ul>
          <Button onPress={restoreMuted}>Restore all</Button>
        </div>
      )}
    </Panel>
  );
}
