// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import Foundation

/// Holds the frame time by choosing the rung; the preset `default` of the Python controller.
public struct FrameController {
    public enum Status: String { case holding, settling, saturated }

    struct Level { let rung, window: Int; let scale: Double }

    private static let hysteresis = 0.03
    private static let dwell = 3

    public private(set) var status = Status.settling
    private let levels: [Level]
    private let logBudget: Double
    private var model: TimeModel
    private var pid = Pid()
    private var scale: Double
    private var held: Int
    private var heldFrames = 0
    private var isSaturated = false

    /// - Parameter budgetMs: time that a frame may take, above 0.
    /// - Parameter rungs: that are loaded, px; the largest is the first.
    public init(budgetMs: Double, rungs: [Int], windowSavesTime: Bool = false) {
        precondition(budgetMs > 0 && !rungs.isEmpty)
        levels = Self.buildLevels(rungs: rungs, windowSavesTime: windowSavesTime)
        logBudget = log(budgetMs)
        model = TimeModel(scales: levels.map(\.scale))
        held = levels.count - 1
        scale = levels[held].scale
    }

    public var rung: Int { levels[held].rung }
    public var window: Int { levels[held].window }

    /// Take in one frame that ran at `rung` or, if that is nil, at the rung that was asked for.
    public mutating func observe(latencyMs: Double, rung ranRung: Int? = nil) {
        guard latencyMs > 0, latencyMs < 3.6e6 else { return }
        let side = ranRung ?? rung
        let window = side == levels[0].rung ? self.window : Contract.windowMax
        guard let ran = levels.firstIndex(where: { $0.rung == side && $0.window == window }) else {
            return
        }
        model.observe(level: ran, latencyMs: latencyMs)
        if model.isStarted { act() }
        status = isSaturated ? .saturated : model.isReady && ran == held ? .holding : .settling
    }

    private mutating func act() {
        let (low, high) = (levels[0].scale, levels[levels.count - 1].scale)
        let error = -late(at: scale)
        let isBlocked = error > 0 ? scale >= high : scale <= low
        let step = pid.step(error: error, isBlocked: isBlocked)
        scale = min(max(model.move(scale: scale, step: step), low), high)
        climb(late: late(at: levels[held].scale))
    }

    /// Round the scale down to a level, with hysteresis and dwell.
    private mutating func climb(late: Double) {
        let isTooLate = late > Self.hysteresis
        isSaturated = held == 0 && (isTooLate || (isSaturated && late > 0))
        heldFrames += 1
        let wanted = levels.lastIndex { $0.scale <= scale } ?? 0
        if wanted > held || (wanted < held && isTooLate), heldFrames >= Self.dwell {
            held = wanted
            heldFrames = 0
        }
    }

    /// Time at `scale` over the budget, less one.
    private func late(at scale: Double) -> Double {
        exp(min(model.logTime(scale: scale) - logBudget, 20)) - 1
    }

    private static func buildLevels(rungs: [Int], windowSavesTime: Bool) -> [Level] {
        let sides = Set(rungs).sorted()
        let largest = Double(sides[sides.count - 1])
        let full = sides.map {
            Level(rung: $0, window: Contract.windowMax, scale: Double($0) / largest)
        }
        guard windowSavesTime else { return full }
        let lowest = full[0]
        let shrunk = (Contract.windowMin..<Contract.windowMax).map { window -> Level in
            let share = 1 - 0.02 * Double(Contract.windowMax - window)
            return Level(rung: lowest.rung, window: window, scale: lowest.scale * share)
        }
        return shrunk + full
    }
}

/// A PID law in the form that gives increments; the integral is conditional.
struct Pid {
    private var sum = 0.0
    private var before: Double?

    mutating func step(error: Double, isBlocked: Bool) -> Double {
        let change = before.map { error - $0 } ?? 0
        let total = sum + error
        before = error
        if abs(error) <= 0.1, !isBlocked { sum = total }
        return min(max(0.7 * error + 0.01 * total + 0.05 * change, -0.7), 0.7)
    }
}
