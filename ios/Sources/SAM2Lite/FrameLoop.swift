// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import CoreML
import CoreVideo
import Foundation

/// What was decided about one object on one frame.
public struct Decision {
    public let logits: [Float]  // side x side, above 0 where the object is
    public let side: Int
    public let iou: Float
    public let objectScore: Float
    public let isVisible: Bool
    public let isLost: Bool
    let isStored: Bool

    /// The mask in source pixels, row by row.
    public func mask(width: Int, height: Int) -> [Bool] {
        guard isVisible else { return Array(repeating: false, count: width * height) }
        return Geometry.resized(
            logits, width: side, height: side, toWidth: width, toHeight: height
        ).map { $0 > 0 }
    }
}

/// Follows objects through a video; rules in docs/architecture.md. For one thread at a time.
public final class FrameLoop {
    private struct Track {
        var bank: MemoryBank
        var key, value: MLFeatureValue
        var hint: Decision?  // nil where the object was not visible
    }

    private struct Frame {
        let pixels: CVPixelBuffer
        let rung: Int
        var features: [String: MLFeatureValue]?
        var decisions: [Int: Decision] = [:]
        var isPlain = true
    }

    private let graphs: Graphs
    private var controller: FrameController?
    private var tracks: [Int: Track] = [:]
    private var frame: Frame?
    private var uses: [Int: Int] = [:]

    /// - Parameter budgetMs: what a frame may take; the largest loaded rung is used if nil.
    public init(graphs: Graphs, budgetMs: Double? = nil) {
        self.graphs = graphs
        controller = budgetMs.map {
            FrameController(
                budgetMs: $0, rungs: graphs.rungs,
                windowSavesTime: graphs.manifest.memory.windowSavesTime)
        }
    }

    /// Begin with the next frame, a pixel buffer in 32BGRA.
    public func start(_ pixels: CVPixelBuffer) {
        let rung = controller?.rung ?? graphs.rungs[graphs.rungs.count - 1]
        frame = Frame(pixels: pixels, rung: rung)
        for id in tracks.keys { tracks[id]?.bank.tick() }
    }

    /// Point out an object on the current frame, or correct one that was decided there.
    @discardableResult
    public func prompt(_ id: Int, _ prompt: Prompt) throws -> Decision {
        guard let frame else { throw SAM2LiteError.state("call start first") }
        let slots = try PromptSlots(
            prompt, width: CVPixelBufferGetWidth(frame.pixels),
            height: CVPixelBufferGetHeight(frame.pixels))
        guard tracks[id] != nil || tracks.count < Contract.maxObjects else {
            throw SAM2LiteError.state("\(Contract.maxObjects) objects at a time is the limit")
        }
        guard tracks[id] != nil || prompt.namesObject else {
            throw SAM2LiteError.prompt(
                "object \(id) is new and its clicks are all beside it; click on it as well")
        }
        self.frame?.isPlain = false
        return try process(id, slots: slots, isPrompted: true)
    }

    /// Follow every object that was not decided on the current frame yet.
    public func track() throws -> [Int: Decision] {
        guard frame != nil else { throw SAM2LiteError.state("call start first") }
        let begin = DispatchTime.now().uptimeNanoseconds
        for id in tracks.keys.sorted() where frame?.decisions[id] == nil {
            try process(id, slots: PromptSlots(), isPrompted: false)
        }
        let end = DispatchTime.now().uptimeNanoseconds
        guard let done = frame else { return [:] }
        // Prompts and a rung's first use say nothing about the rung's time.
        if done.isPlain, !done.decisions.isEmpty, uses[done.rung, default: 0] > 1 {
            controller?.observe(latencyMs: Double(end - begin) / 1e6, rung: done.rung)
        }
        return done.decisions
    }

    public func remove(_ id: Int) {
        tracks[id] = nil
        frame?.decisions[id] = nil
    }

    @discardableResult
    private func process(_ id: Int, slots: PromptSlots, isPrompted: Bool) throws -> Decision {
        let features = try encoded()
        guard let frame else { throw SAM2LiteError.state("call start first") }
        var track = tracks[id] ?? newTrack()
        let side = frame.rung / 4
        let before = frame.decisions[id]
        if let before, before.isStored { track.bank.forgetLast() }
        var hint: [Float]?
        if let before {
            hint = before.isLost ? nil : before.logits
        } else if !isPrompted, let last = track.hint {
            hint = Geometry.resized(
                last.logits, width: last.side, height: last.side, toWidth: side, toHeight: side)
        }
        let given = try decode(track, features, slots: slots, hint: hint, frame.rung)
        let ious = try given.floats("iou_bm")
        let chosen = ious.indices.reduce(0) { ious[$1] > ious[$0] ? $1 : $0 }  // first of equals
        let score = try given.floats("object_score_b1")[0]
        let pointer = Self.row(try given.floats("object_pointer_bmc"), chosen, Contract.channels)
        let logits = Self.row(try given.floats("mask_logits_bmhw"), chosen, side * side)
        let isFinite = [ious, [score], pointer, logits].allSatisfy(Self.isFinite)
        let isPresent = isFinite && (isPrompted || score > 0)
        var isStored = false
        if isPresent {  // an absent object writes no memory
            isStored = try store(
                &track, features, logits: logits, pointer: pointer, isAnchor: isPrompted, frame.rung)
        }
        let decision = Decision(
            logits: logits, side: side, iou: ious[chosen], objectScore: score,
            isVisible: isStored, isLost: !isFinite || (isPresent && !isStored), isStored: isStored)
        track.hint = isStored ? decision : nil
        tracks[id] = track
        self.frame?.decisions[id] = decision
        return decision
    }

    private func encoded() throws -> [String: MLFeatureValue] {
        guard let frame else { throw SAM2LiteError.state("call start first") }
        if let features = frame.features { return features }
        let image = try Geometry.networkInput(frame.pixels, side: frame.rung)
        let features = try graphs.run(
            "image_encoder@\(frame.rung)", ["image_bchw": MLFeatureValue(pixelBuffer: image)])
        self.frame?.features = features
        uses[frame.rung, default: 0] += 1
        return features
    }

    private func decode(
        _ track: Track, _ features: [String: MLFeatureValue], slots: PromptSlots, hint: [Float]?,
        _ rung: Int
    ) throws -> [String: MLFeatureValue] {
        let window = min(track.bank.windowMax, controller?.window ?? track.bank.windowMax)
        let (age, bias) = track.bank.view(window: window)
        let (side, count) = (rung / 4, Contract.promptSlots)
        var inputs = features
        inputs["memory_key_bnc"] = track.key
        inputs["memory_value_bnc"] = track.value
        inputs["memory_age_bn"] = .floats(age, [1, age.count])
        inputs["memory_bias_b11n"] = .floats(bias, [1, 1, 1, bias.count])
        inputs["prompt_xy_norm_bpc"] = .floats(slots.xyNorm, [1, count, 2])
        inputs["prompt_label_bp"] = MLFeatureValue(
            shapedArray: MLShapedArray<Int32>(scalars: slots.labels, shape: [1, count]))
        inputs["prompt_bias_b11p"] = .floats(slots.bias, [1, 1, 1, count])
        inputs["mask_prompt_b1hw"] = .floats(
            hint ?? Array(repeating: 0, count: side * side), [1, 1, side, side])
        inputs["mask_prompt_flag_b111"] = .floats([hint == nil ? 0 : 1], [1, 1, 1, 1])
        return try graphs.run("mask_decoder@\(rung)", inputs)
    }

    /// Write the frame to memory; false if the encoder gave a number that is not finite.
    private func store(
        _ track: inout Track, _ features: [String: MLFeatureValue], logits: [Float],
        pointer: [Float], isAnchor: Bool, _ rung: Int
    ) throws -> Bool {
        let side = rung / 4
        let tokens = try graphs.run(
            "memory_encoder@\(rung)",
            [
                "features_s16_bchw": features["features_s16_bchw"]!,
                "mask_logits_b1hw": .floats(logits, [1, 1, side, side]),
                "object_pointer_bc": .floats(pointer, [1, Contract.channels]),
            ])
        for name in tokens.keys {
            let values = try tokens.floats(name)
            guard Self.isFinite(values) else { return false }
        }
        // Under anchor-fifo, motion decides nothing but the order of slots, so none is estimated.
        let meta = track.bank.candidates(
            uncertainty: try tokens.floats("token_uncertainty_bn"), motion: 0, isAnchor: isAnchor)
        let rows = meta.count / Contract.metaColumns
        let kept = try graphs.run(
            "memory_select",
            [
                "memory_key_bnc": track.key, "memory_value_bnc": track.value,
                "token_key_bnc": tokens["token_key_bnc"]!,
                "token_value_bnc": tokens["token_value_bnc"]!,
                "candidate_meta_bnc": .floats(meta, [1, rows, Contract.metaColumns]),
            ])
        track.bank.commit(keptIndex: try kept.integers("kept_index_bn"))
        track.key = kept["kept_key_bnc"]!
        track.value = kept["kept_value_bnc"]!
        return true
    }

    private func newTrack() -> Track {
        let budget = graphs.manifest.memory.budget
        let zeros = [Float](repeating: 0, count: budget * Contract.channels)
        let empty = MLFeatureValue.floats(zeros, [1, budget, Contract.channels])
        return Track(bank: MemoryBank(slots: budget), key: empty, value: empty)
    }

    private static func row(_ values: [Float], _ index: Int, _ count: Int) -> [Float] {
        Array(values[(index * count)..<((index + 1) * count)])
    }

    private static func isFinite(_ values: [Float]) -> Bool {
        values.allSatisfy { $0.isFinite }
    }
}
