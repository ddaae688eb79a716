import { useMemo } from 'react';
import { afterReset, currentPresets, lossKinds, lossOf, neuronGradient, resetRules, simulateNeuron, softSpikes } from '../../base/neuron';
import { softSpike, surrogateDefinitions, surrogateDerivative } from '../../base/surrogate';
import { formatShort } from '../../charts/format';
import { NeuronLaboratory } from '../../charts/NeuronLaboratory';
import { SurrogateCurve } from '../../charts/SurrogateCurve';
import {
  chooseCurrent,
  currentRange,
  drawCurrent,
  resetNeuronLaboratory,
  selectNeuronStep,
  setAmplitude,
  setLoss,
  setNeuron,
  setNeuronSteps,
  setNeuronSurrogate,
} from '../../commands/learn';
import { usePlayground } from '../../state/store';
import { Button, Panel, SelectField, SliderField } from '../../ui/controls';
import { SurrogateFields } from './SurrogateFields';
import { lossNames, presetNames, resetNames, surrogateNames } from './words';

const decimals = { minimumFractionDigits: 2 };

/** One LIF neuron: what it does with a current, and what training would tell that current. */
export function NeuronPanel() {
  const { settings, surrogate, loss, current, step } = usePlayground((state) => state.learn.neuron);
  const theme = usePlayground((state) => state.view.shownTheme);
  const course = useMemo(() => simulateNeuron(current, settings), [current, settings]);
  const gradient = useMemo(() => neuronGradient(course, settings, surrogate, loss), [course, settings, surrogate, loss]);
  const spikes = course.spikes.reduce((sum, spike) => sum + spike, 0);
  const softLoss = lossOf(loss, { membrane: course.membrane, spikes: softSpikes(course, settings, surrogate) });
  return (
    <Panel
      title="Neuron laboratory"
      className="learn-laboratory"
      aside={`${spikes} ${spikes === 1 ? 'spike' : 'spikes'} in ${current.length} steps; L = ${formatShort(lossOf(loss, course))}, with soft spikes ${formatShort(softLoss)}`}
    >
      <p className="learn-text">
        One leaky integrate-and-fire neuron, the unit that every layer of EMS-YOLO is made of. Draw a current and see when it fires. A spike is a step and has no useful
        slope; training takes a <em>surrogate</em> in its place, and the lowest row shows what comes of it: where the membrane stays outside the surrogate’s reach, nothing is learned.
      </p>
      <div className="learn-columns">
        <div className="settings learn-controls">
          <Controls />
        </div>
        <div className="learn-charts">
          <NeuronLaboratory
            current={current}
            membrane={course.membrane}
            spikes={course.spikes}
            surrogate={gradient.surrogate}
            gradient={gradient.current}
            threshold={settings.threshold}
            afterSpike={(potential) => afterReset(potential, 1, settings.threshold, settings.reset)}
            lossName={lossNames[loss.kind].inText}
            currentRange={currentRange}
            step={step}
            onSelectStep={selectNeuronStep}
            onDraw={drawCurrent}
            theme={theme}
          />
          <div className="learn-pair">
            <SurrogateCurve
              name={surrogateNames[surrogate.shape]}
              derivative={(u) => surrogateDerivative(surrogate, u)}
              softSpike={(u) => softSpike(surrogate, u)}
              visited={course.membrane.map((potential) => potential - settings.threshold)}
              step={step}
              theme={theme}
            />
            <Definitions />
          </div>
        </div>
      </div>
    </Panel>
  );
}

function Controls() {
  const { settings, surrogate, loss, current, preset, amplitude } = usePlayground((state) => state.learn.neuron);
  return (
    <>
      <SelectField
        label="Current"
        choices={currentPresets.map((id) => ({ id, label: presetNames[id] }))}
        value={preset === 'drawn' ? undefined : preset}
        placeholder="Drawn by hand"
        onChange={chooseCurrent}
      />
      <SliderField label="Amplitude" value={amplitude} minimum={0} maximum={1} step={0.05} format={decimals} onChange={setAmplitude} />
      <SliderField label="Steps" value={current.length} minimum={4} maximum={64} step={1} onChange={setNeuronSteps} />
      <SliderField label="Threshold" value={settings.threshold} minimum={0.1} maximum={2} step={0.05} format={decimals} onChange={(threshold) => setNeuron({ threshold })} />
      <SliderField label="Decay" value={settings.decay} minimum={0} maximum={1} step={0.05} format={decimals} onChange={(decay) => setNeuron({ decay })} />
      <SelectField label="Reset" choices={resetRules.map((id) => ({ id, ...resetNames[id] }))} value={settings.reset} onChange={(reset) => setNeuron({ reset })} />
      <SurrogateFields surrogate={surrogate} onChange={setNeuronSurrogate} />
      <SelectField
        label="Loss"
        choices={lossKinds.map((id) => ({ id, label: lossNames[id].label, description: lossNames[id].formula }))}
        value={loss.kind}
        onChange={(kind) => setLoss({ kind })}
      />
      {loss.kind === 'target' && <SliderField label="Spikes wanted" value={loss.target} minimum={0} maximum={32} step={1} onChange={(target) => setLoss({ target })} />}
      <div className="source-actions">
        <Button onPress={() => setNeuron({ threshold: 0.5, decay: 0.25, reset: 'hard' })}>EMS-YOLO’s neuron</Button>
        <Button look="quiet" onPress={resetNeuronLaboratory}>
          Start again
        </Button>
      </div>
    </>
  );
}

/** What the rows show, exactly. */
function Definitions() {
  const { settings, surrogate, loss } = usePlayground((state) => state.learn.neuron);
  const { formula, source } = surrogateDefinitions[surrogate.shape];
  const left = { hard: 'v[t−1] · (1 − s[t−1])', soft: '(v[t−1] − θ · s[t−1])', none: 'v[t−1]' }[settings.reset];
  const kept = settings.reset === 'hard' ? ' · (1 − s[t])' : '';
  return (
    <dl className="learn-definitions" aria-label="Definitions">
      <dt>Neuron</dt>
      <dd>
        <code>
          v[t] = {formatShort(settings.decay)} · {left} + x[t]
        </code>
        <code>s[t] = 1 where v[t] &gt; θ = {formatShort(settings.threshold)}, else 0</code>
      </dd>
      <dt>Loss</dt>
      <dd>
        <code>{lossNames[loss.kind].formula}</code>
      </dd>
      <dt>Surrogate, with u = v − θ</dt>
      <dd>
        <code>ds/dv = {formula}</code>
        <span className="learn-source">{source}</span>
      </dd>
      <dt>Gradient, backwards from the last step</dt>
      <dd>
        <code>
          g[t] = ∂L/∂v[t] + ∂L/∂s[t] · ds/dv + g[t+1] · {formatShort(settings.decay)}
          {kept}
        </code>
        <code>dL/dx[t] = g[t]</code>
        <span className="learn-source">
          The reset carries no gradient (it is detached), as in EMS-YOLO’s training. This is the exact gradient of the loss with the soft spikes in place of the spikes and the resets as they fell.
        </span>
      </dd>
    </dl>
  );
}
