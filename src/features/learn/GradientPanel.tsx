import { useEffect } from 'react';
import { blockKinds, deepestStack, largestJacobian, type StackKind } from '../../base/blockStacks';
import { formatRate, formatShare, formatShort } from '../../charts/format';
import { GradientDepth } from '../../charts/GradientDepth';
import { profileStatistics } from '../../charts/learnGeometry';
import { SpectrumHistogram } from '../../charts/SpectrumHistogram';
import { chooseBlock, measureBlock, measureGradients, openGradientLaboratory, resetGradientLaboratory, setSeeds, setStack } from '../../commands/learn';
import { usePlayground } from '../../state/store';
import { Button, Panel, SelectField, SliderField } from '../../ui/controls';
import { SurrogateFields } from './SurrogateFields';
import { blockNames } from './words';

const decimals = { minimumFractionDigits: 2 };
/** The paper's blocks first. */
const shownKinds: readonly StackKind[] = ['ems', 'ms', 'sew', 'plain'];

/** Stacks of residual blocks: does a gradient survive the way back through them? */
export function GradientPanel() {
  const { settings, curves, curvesSettings } = usePlayground((state) => state.learn.gradient);
  const theme = usePlayground((state) => state.view.shownTheme);
  useEffect(openGradientLaboratory, []);
  return (
    <Panel title="Gradient laboratory" className="learn-laboratory" aside="Computed in the background; nothing is stored">
      <p className="learn-text">
        The paper’s argument: a deep network learns only if the gradient neither vanishes nor explodes on its way back. In an EMS block membranes are added and the branch’s last norm starts at a fifth of the threshold,
        so that each block is nearly an isometry: the mean of its Jacobian’s squared singular values is near 1 and their spread near 0. A plain spiking stack multiplies the gradient by the same factor in every block;
        one that adds spikes (SEW), or membranes at full scale (MS), lets it grow. Change the surrogate and see which kind does not mind.
      </p>
      <div className="learn-columns">
        <div className="settings learn-controls">
          <Controls />
        </div>
        <div className="learn-charts">
          <GradientDepth curves={shownKinds.map((kind) => ({ name: blockNames[kind].label, ...curves[kind] }))} theme={theme} />
          {curvesSettings && curvesSettings !== settings && (
            <p className="learn-note" role="status">
              These curves belong to other settings ({curvesSettings.depth} blocks, width {curvesSettings.width}, T = {curvesSettings.steps}, {curvesSettings.surrogate.shape} surrogate). Measure again to see the present ones.
            </p>
          )}
          <Summary />
          <Spectrum />
          <Method />
        </div>
      </div>
    </Panel>
  );
}

function Controls() {
  const { settings, seeds } = usePlayground((state) => state.learn.gradient);
  return (
    <>
      <SliderField label="Blocks" value={settings.depth} minimum={1} maximum={deepestStack} step={1} onChange={(depth) => setStack({ depth })} />
      <SliderField label="Width (neurons of a layer)" value={settings.width} minimum={4} maximum={64} step={4} onChange={(width) => setStack({ width })} />
      <SliderField label="Time steps T" value={settings.steps} minimum={1} maximum={8} step={1} onChange={(steps) => setStack({ steps })} />
      <SliderField label="Samples in a batch" value={settings.samples} minimum={8} maximum={128} step={8} onChange={(samples) => setStack({ samples })} />
      <SliderField label="Seeds" value={seeds} minimum={1} maximum={20} step={1} onChange={setSeeds} />
      <SliderField label="Threshold θ" value={settings.threshold} minimum={0.1} maximum={2} step={0.05} format={decimals} onChange={(threshold) => setStack({ threshold })} />
      <SliderField label="Decay" value={settings.decay} minimum={0} maximum={1} step={0.05} format={decimals} onChange={(decay) => setStack({ decay })} />
      <SurrogateFields surrogate={settings.surrogate} onChange={(surrogate) => setStack({ surrogate })} />
      <div className="source-actions">
        <Button look="primary" onPress={() => void measureGradients()}>
          Measure
        </Button>
        <Button look="quiet" onPress={resetGradientLaboratory}>
          Start values
        </Button>
      </div>
    </>
  );
}

/** By what each kind of stack changes the gradient from its last block to its first. */
function Summary() {
  const { curves, curvesSettings } = usePlayground((state) => state.learn.gradient);
  if (!curvesSettings) return null;
  return (
    <div className="learn-table" tabIndex={0} role="region" aria-label="The gradient through the whole stack">
      <table data-testid="gradient-summary">
        <caption>Mean square of the gradient before the first of {curvesSettings.depth} blocks, where it is 1 after the last</caption>
        <thead>
          <tr>
            <th scope="col">Stack</th>
            <th scope="col">Block</th>
            <th scope="col">Theory</th>
            <th scope="col">Measured</th>
            <th scope="col">Least to most</th>
            <th scope="col">Seeds</th>
          </tr>
        </thead>
        <tbody>
          {shownKinds.map((kind) => {
            const { predicted, measured } = curves[kind];
            const [first] = profileStatistics(measured);
            return (
              <tr key={kind}>
                <th scope="row">{blockNames[kind].label}</th>
                <td>
                  <code>{blockNames[kind].formula}</code>
                </td>
                <td>{formatShare(predicted?.[0])}</td>
                <td>{formatShare(first?.mean)}</td>
                <td>{first ? `${formatShare(first.low)} to ${formatShare(first.high)}` : '–'}</td>
                <td>{measured.length}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Spectrum() {
  const { settings, block, spectrum } = usePlayground((state) => state.learn.gradient);
  const side = settings.steps * settings.width;
  const isTooLarge = side > largestJacobian;
  const isStale = spectrum !== undefined && (spectrum.settings !== settings || spectrum.kind !== block.kind || spectrum.place !== block.place);
  return (
    <section className="learn-spectrum" aria-label="Spectrum of a block">
      <h3>The Jacobian of one block</h3>
      <div className="learn-block-choice">
        <SelectField
          label="Block of"
          choices={blockKinds.map((id) => ({ id, label: blockNames[id].label, description: blockNames[id].formula }))}
          value={block.kind}
          onChange={(kind) => chooseBlock({ kind })}
        />
        <SliderField label="Its place in the stack" value={block.place} minimum={1} maximum={Math.max(2, settings.depth)} step={1} onChange={(place) => chooseBlock({ place })} />
        <Button isDisabled={isTooLarge} onPress={() => void measureBlock()}>
          Measure this block
        </Button>
      </div>
      {isTooLarge && (
        <p className="learn-note" role="status">
          Steps times width is {side}: the spectrum of a Jacobian of more than {largestJacobian} rows takes too long. Choose fewer steps or a smaller width.
        </p>
      )}
      {spectrum && (
        <>
          <SpectrumHistogram name={`${blockNames[spectrum.kind].label} block ${spectrum.place}`} singularValues={spectrum.result.singularValues} />
          <div className="learn-table" tabIndex={0} role="region" aria-label="Is the block an isometry?">
            <table data-testid="block-isometry">
              <caption>
                {blockNames[spectrum.kind].label} block {spectrum.place}
                {isStale ? ' with the settings of before' : ''}; its neurons fire at{' '}
                {spectrum.result.firingRates.map((rate) => formatRate(rate)).join(' and ')}
              </caption>
              <thead>
                <tr>
                  <th scope="col">Squared singular values</th>
                  <th scope="col">Isometry</th>
                  <th scope="col">Theory</th>
                  <th scope="col">Measured</th>
                </tr>
              </thead>
              <tbody>
                <tr>
                  <th scope="row">Mean φ(JJᵀ)</th>
                  <td>1</td>
                  <td>{formatShort(spectrum.result.predicted.mean)}</td>
                  <td>{formatShort(spectrum.result.measured.mean)}</td>
                </tr>
                <tr>
                  <th scope="row">Spread φ((JJᵀ)²) − φ(JJᵀ)²</th>
                  <td>0</td>
                  <td>{formatShort(spectrum.result.predicted.spread)}</td>
                  <td>{formatShort(spectrum.result.measured.spread)}</td>
                </tr>
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}

/** What is computed, and what theory is drawn. */
function Method() {
  return (
    <details className="learn-method">
      <summary>What is measured, and what the theory is</summary>
      <p>
        <strong>Measured.</strong> Inputs are normal currents of deviation θ, the same at every step, as an encoder gives them for a picture. <code>W</code> is a full connection with normal weights of variance 1/width,{' '}
        <code>BN(γ)</code> batch norm over steps and samples with scale γ, <code>LIF</code> the neuron with hard, detached reset. One normal gradient is sent back from the end, through the norms’ statistics too, as in training.
        The Jacobian is that of one sample over all its steps, with the statistics held; the singular values of two samples are shown.
      </p>
      <p>
        <strong>Theory.</strong> Block dynamical isometry (Chen et al. 2020; applied to spiking networks by Hu et al. 2021 and in the paper, Su et al. 2023): φ(JJᵀ), the mean of the squared singular values, is multiplied along units in series and
        added for a branch and its shortcut. <code>W</code> with <code>BN(γ)</code> has φ = γ² / ν, ν being the variance of its inputs; for spikes that is p (1 − p) at the rate p. The neuron has φ = E[tr SSᵀ] / T
        with S[t, a] = surrogate(v[t] − θ) · Π decay · (1 − s) over the steps from a to t. So
      </p>
      <ul>
        <li>
          <strong>plain</strong>: φ = α₁ α₂ in each block, α = (θ² / ν) · φ(neuron): exponential in depth, and 1 only by luck;
        </li>
        <li>
          <strong>SEW</strong> and <strong>MS</strong>: φ = 1 + α₁ α₂. What is added up grows from block to block, which makes α shrink: the gradient grows like a power of the depth;
        </li>
        <li>
          <strong>EMS</strong>: φ = 1 + 0.04 α₁ α₂, and spread ≈ 2 · 0.04 α₁ α₂;
        </li>
        <li>
          <strong>EMS, shape changes</strong>: φ = α₀ + 0.04 α₁ α₂, α₀ of the shortcut. It is near 1 in the mean, but its spread is not small: a network has one such block for each change of size, not a stack of them.
        </li>
      </ul>
      <p>
        Rates, variances and the correlation of one neuron’s steps are carried forward as for very wide layers, and the gradient’s T × T second moments back. A narrow plain stack therefore strays from its curve: with few neurons, chance
        decides which of them fire.
      </p>
    </details>
  );
}
