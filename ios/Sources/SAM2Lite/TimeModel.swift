// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import Foundation

/// What a frame takes at every level; sam2lite/runtimes/controller/time_model.py says why.
struct TimeModel {
    private static let exponent = 1.8
    private static let firstFrames = 3

    private let logScales: [Double]
    private var level = 0
    private var base = 0
    private var recent: [Double] = []
    private var visited: Set<Int> = []
    private var noise = 0.05
    private var ageFrames = 0
    private var belief: Belief

    init(scales: [Double]) {
        logScales = scales.map { log($0) }
        belief = Self.firstGuess(logScales, level: 0, logTime: 0, variance: 100)
    }

    var isStarted: Bool { !visited.isEmpty }
    var isReady: Bool { recent.count >= Self.firstFrames }

    mutating func observe(level: Int, latencyMs: Double) {
        if level != self.level {
            self.level = level
            recent = []
        }
        recent = Array(recent.suffix(4)) + [log(latencyMs)]
        guard isReady else { return }
        forgetLessons()
        learn()
        visited.insert(level)
        base = level
    }

    func logTime(scale: Double) -> Double {
        let x = log(scale)
        guard let above = logScales.firstIndex(where: { $0 > x }) else {
            return hopeful(logScales.count - 1)
        }
        let (low, high) = (logScales[above - 1], logScales[above])
        let share = (x - low) / (high - low)
        return (1 - share) * hopeful(above - 1) + share * hopeful(above)
    }

    /// The largest scale at which a frame takes `exp(step)` of its time at `scale`.
    func move(scale: Double, step: Double) -> Double {
        let target = logTime(scale: scale) + step
        var above: (time: Double, x: Double)?
        for level in logScales.indices.reversed() {
            let time = hopeful(level)
            var x = logScales[level]
            if time <= target {
                if let above { x += (above.x - x) * (target - time) / (above.time - time) }
                return exp(x)
            }
            above = (time, x)
        }
        return exp(logScales[0])
    }

    private func hopeful(_ level: Int) -> Double {
        let time = belief.mean[level]
        return visited.contains(level) ? time : time - belief.stdBetween(level, base)
    }

    private mutating func learn() {
        let sorted = recent.sorted()
        let half = sorted.count / 2
        let median = sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
        let deviation = 1.5 * abs(recent[recent.count - 1] - median)
        noise = max(noise + 0.04 * (min(deviation, 3 * noise) - noise), 0.015)
        belief.loosenAll(0.003 * 0.003)
        let surprise = median - belief.mean[level]
        let expected = hypot(belief.variance(level).squareRoot(), 0.6 * noise)
        if abs(surprise) > 3.5 * expected {
            if recent.count > Self.firstFrames {
                belief.loosenAll(surprise * surprise)
            } else {
                belief.measure(level, median, variance: noise * noise)
                belief.loosen(level, surprise * surprise)
            }
        }
        belief.measure(level, median, variance: noise * noise)
    }

    private mutating func forgetLessons() {
        ageFrames += 1
        guard ageFrames > 600 else { return }
        ageFrames = 0
        visited = []
        belief = Self.firstGuess(
            logScales, level: level, logTime: belief.mean[level], variance: belief.variance(level))
    }

    private static func firstGuess(
        _ xs: [Double], level: Int, logTime: Double, variance: Double
    ) -> Belief {
        let covariance = xs.map { a in
            xs.map { b in 100 + 0.25 * a * b + 0.01 * exp(-abs(a - b) / 0.2) }
        }
        let mean = xs.map { logTime + exponent * ($0 - xs[level]) }
        var belief = Belief(mean: mean, covariance: covariance)
        belief.measure(level, logTime, variance: variance)
        return belief
    }
}

/// A Gaussian vector that is measured one component at a time.
struct Belief {
    private(set) var mean: [Double]
    private var covariance: [[Double]]

    init(mean: [Double], covariance: [[Double]]) {
        (self.mean, self.covariance) = (mean, covariance)
    }

    func variance(_ index: Int) -> Double { covariance[index][index] }

    func stdBetween(_ a: Int, _ b: Int) -> Double {
        max(covariance[a][a] + covariance[b][b] - 2 * covariance[a][b], 0).squareRoot()
    }

    mutating func measure(_ index: Int, _ value: Double, variance: Double) {
        let row = covariance[index]
        let gains = row.map { $0 / (row[index] + variance) }
        let surprise = value - mean[index]
        for i in mean.indices {
            mean[i] += gains[i] * surprise
            for j in mean.indices { covariance[i][j] -= gains[i] * row[j] }
        }
    }

    mutating func loosen(_ index: Int, _ variance: Double) { covariance[index][index] += variance }

    mutating func loosenAll(_ variance: Double) {
        covariance = covariance.map { row in row.map { $0 + variance } }
    }
}
