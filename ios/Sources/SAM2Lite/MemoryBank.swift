// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import Foundation

/// The bookkeeping of one object's memory bank, under the policy `anchor-fifo`.
///
/// Keys and values are handles that the frame loop keeps; nothing here needs Core ML.
public struct MemoryBank {
    public struct Slot: Equatable {
        public var age = 0  // frames since the token's frame
        public var ordinal = -1  // which stored frame of the object it belongs to
        public var token = 0  // which token of its frame
        public var motion: Float = 0
        public var uncertainty: Float = 0
        public var isAnchor = false
        public var isValid = false
    }

    public private(set) var slots: [Slot]
    public private(set) var stored = 0
    public let windowMax: Int
    private var joined: [Slot] = []

    public init(slots: Int, windowMax: Int = Contract.windowMax) {
        self.slots = Array(repeating: Slot(), count: slots)
        self.windowMax = windowMax
    }

    /// Map an age in frames to 0...1 on a log scale.
    public static func normalised(age: Int) -> Float {
        let horizon = Contract.ageHorizonFrames
        return Float(log1p(Double(min(age, horizon))) / log1p(Double(horizon)))
    }

    /// Let one frame pass.
    public mutating func tick() {
        for index in slots.indices { slots[index].age += 1 }
    }

    /// `memory_age_bn` and `memory_bias_b11n`; a window of nil sees all that is valid.
    public func view(window: Int?) -> (age: [Float], bias: [Float]) {
        let oldestSeen = window.map { stored - $0 } ?? 0
        let bias = slots.map { slot -> Float in
            let isSeen = slot.isValid && (slot.isAnchor || slot.ordinal >= oldestSeen)
            return isSeen ? 0 : Contract.maskedBias
        }
        return (slots.map { Self.normalised(age: $0.age) }, bias)
    }

    /// Join a new frame's tokens and retire what must make room.
    ///
    /// Returns `candidate_meta_bnc`, row by row; `commit` or `forgetLast` must follow.
    public mutating func candidates(uncertainty: [Float], motion: Float, isAnchor: Bool) -> [Float] {
        retire(isAnchor: isAnchor)
        joined = slots
        for (token, value) in uncertainty.enumerated() {
            joined.append(
                Slot(
                    age: 0, ordinal: stored, token: token, motion: motion, uncertainty: value,
                    isAnchor: isAnchor, isValid: true))
        }
        keepAnchorsThenNewest()
        return joined.flatMap { slot -> [Float] in
            [
                Self.normalised(age: slot.age), slot.motion, slot.uncertainty,
                slot.isAnchor ? 1 : 0, slot.isValid ? 1 : 0,
            ]
        }
    }

    /// Take what `memory_select` kept: `kept_index_bn`, in the order of rank.
    public mutating func commit(keptIndex: [Int32]) {
        slots = keptIndex.map { joined[Int($0)] }
        stored += 1
    }

    /// Drop the tokens of the last stored frame.
    public mutating func forgetLast() {
        stored -= 1
        for index in slots.indices where slots[index].ordinal == stored {
            slots[index].isValid = false
        }
    }

    private mutating func retire(isAnchor: Bool) {
        let oldestKept = stored + 1 - windowMax
        for index in slots.indices
        where !slots[index].isAnchor && slots[index].ordinal < oldestKept {
            slots[index].isValid = false
        }
        guard isAnchor else { return }
        let anchors = Set(slots.filter { $0.isValid && $0.isAnchor }.map(\.ordinal)).sorted()
        // Half of the bank; the first prompt stays, the one after it makes room.
        guard anchors.count >= slots.count / Contract.tokensPerFrame / 2, anchors.count > 1 else {
            return
        }
        for index in slots.indices where slots[index].ordinal == anchors[1] {
            slots[index].isValid = false
        }
    }

    private mutating func keepAnchorsThenNewest() {
        let ranked = joined.indices.filter { joined[$0].isValid }.sorted { first, second in
            let (a, b) = (joined[first], joined[second])
            if a.isAnchor != b.isAnchor { return a.isAnchor }
            return a.ordinal != b.ordinal ? a.ordinal > b.ordinal : a.token < b.token
        }
        for index in ranked.dropFirst(slots.count) { joined[index].isValid = false }
    }
}
