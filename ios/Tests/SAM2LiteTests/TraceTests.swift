// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import Foundation
import XCTest

@testable import SAM2Lite

/// The pure parts against what the Python loop did; checks/ios_traces.py wrote the traces.
final class TraceTests: XCTestCase {
    private typealias Object = [String: Any]

    private func data(_ name: String) throws -> Data {
        let url = Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Traces")
        return try Data(contentsOf: XCTUnwrap(url))
    }

    private func cases(_ name: String) throws -> [Object] {
        try XCTUnwrap(JSONSerialization.jsonObject(with: data(name)) as? [Object])
    }

    private func numbers(_ object: Object, _ key: String) throws -> [Double] {
        try XCTUnwrap(object[key] as? [NSNumber], key).map(\.doubleValue)
    }

    private func integers(_ object: Object, _ key: String) throws -> [Int] {
        try XCTUnwrap(object[key] as? [NSNumber], key).map(\.intValue)
    }

    private func number(_ object: Object, _ key: String) throws -> NSNumber {
        try XCTUnwrap(object[key] as? NSNumber, key)
    }

    private func assertClose(_ given: [Float], _ expected: [Double], _ accuracy: Double = 5e-5) {
        XCTAssertEqual(given.count, expected.count)
        for (a, b) in zip(given, expected) { XCTAssertEqual(Double(a), b, accuracy: accuracy) }
    }

    func testControllerChoosesTheSameRungs() throws {
        for scenario in try cases("controller") {
            var controller = FrameController(
                budgetMs: try number(scenario, "budget_ms").doubleValue,
                rungs: [240, 288, 336, 384, 432, 480],
                windowSavesTime: try number(scenario, "window_saves_time").boolValue)
            for (index, frame) in try XCTUnwrap(scenario["frames"] as? [[Any]]).enumerated() {
                controller.observe(latencyMs: try XCTUnwrap(frame[0] as? NSNumber).doubleValue)
                XCTAssertEqual(controller.rung, frame[1] as? Int, "frame \(index)")
                XCTAssertEqual(controller.window, frame[2] as? Int, "frame \(index)")
                XCTAssertEqual(controller.status.rawValue, frame[3] as? String, "frame \(index)")
            }
        }
    }

    /// Every estimate, not only the rungs that come of it, which forgive much.
    func testTimesAreEstimatedAlike() throws {
        for trace in try cases("time_model") {
            let scales = try numbers(trace, "scales")
            var model = TimeModel(scales: scales)
            for (index, frame) in try XCTUnwrap(trace["frames"] as? [[NSNumber]]).enumerated() {
                model.observe(level: frame[0].intValue, latencyMs: frame[1].doubleValue)
                let given = [
                    model.logTime(scale: scales[0]), model.logTime(scale: scales[scales.count - 1]),
                    model.move(scale: 0.9, step: -0.1),
                ]
                for (a, b) in zip(given, frame.dropFirst(2)) {
                    XCTAssertEqual(a, b.doubleValue, accuracy: 2e-5, "frame \(index)")
                }
            }
        }
    }

    func testLawGivesTheSameSteps() throws {
        for trace in try cases("pid") {
            var law = Pid()
            for (index, step) in try XCTUnwrap(trace["steps"] as? [[NSNumber]]).enumerated() {
                let given = law.step(error: step[0].doubleValue, isBlocked: step[1].boolValue)
                XCTAssertEqual(given, step[2].doubleValue, accuracy: 1e-6, "step \(index)")
            }
        }
    }

    func testPromptsFillTheSameSlots() throws {
        for prompt in try cases("prompts") {
            let points = try XCTUnwrap(prompt["points"] as? [[Double]])
            let clicks = zip(points, try integers(prompt, "labels")).map { point, label in
                Prompt.Click(x: point[0], y: point[1], isOnObject: label == 1)
            }
            let box = (prompt["box"] as? [Double]).map {
                Prompt.Box(x1: $0[0], y1: $0[1], x2: $0[2], y2: $0[3])
            }
            let size = try integers(prompt, "size")
            let slots = try PromptSlots(
                Prompt(clicks: clicks, box: box), width: size[0], height: size[1])
            assertClose(slots.xyNorm, try numbers(prompt, "xy_norm"))
            XCTAssertEqual(slots.labels.map { Int($0) }, try integers(prompt, "slot_labels"))
            assertClose(slots.bias, try numbers(prompt, "bias"))
        }
    }

    func testBadPromptsAreRefused() throws {
        XCTAssertThrowsError(try Prompt())
        XCTAssertThrowsError(try Prompt(box: Prompt.Box(x1: 5, y1: 5, x2: 5, y2: 9)))
        let click = Prompt.Click(x: 640, y: 0)
        XCTAssertThrowsError(try Prompt(clicks: Array(repeating: click, count: 9)))
        XCTAssertThrowsError(try PromptSlots(Prompt(clicks: [click]), width: 640, height: 480))
    }

    func testBankKeepsTheSameBooks() throws {
        for trace in try cases("bank") {
            var bank = MemoryBank(
                slots: try number(trace, "slots").intValue,
                windowMax: try number(trace, "window_max").intValue)
            for step in try XCTUnwrap(trace["steps"] as? [Object]) {
                let ticks = try number(step, "ticks").intValue
                for _ in 0..<ticks { bank.tick() }
                if try number(step, "forgets").boolValue { bank.forgetLast() }
                let view = bank.view(window: (step["window"] as? NSNumber)?.intValue)
                assertClose(view.age, try numbers(step, "view_age"))
                assertClose(view.bias, try numbers(step, "view_bias"))
                let uncertainty = try number(step, "uncertainty").floatValue
                let meta = bank.candidates(
                    uncertainty: Array(repeating: uncertainty, count: Contract.tokensPerFrame),
                    motion: try number(step, "motion").floatValue,
                    isAnchor: try number(step, "anchor").boolValue)
                let columns = (0..<Contract.metaColumns).map { column in
                    stride(from: column, to: meta.count, by: Contract.metaColumns).map { meta[$0] }
                }
                XCTAssertEqual(columns[4].map { Int($0) }, try integers(step, "meta_valid"))
                assertClose(columns.map { $0.reduce(0, +) }, try numbers(step, "meta_sums"), 1e-3)
                bank.commit(keptIndex: try integers(step, "kept_index").map { Int32($0) })
                XCTAssertEqual(bank.slots.map(\.age), try integers(step, "ages"))
                XCTAssertEqual(bank.slots.map(\.ordinal), try integers(step, "ordinals"))
                XCTAssertEqual(bank.slots.map(\.token), try integers(step, "tokens"))
                XCTAssertEqual(bank.slots.map { $0.isValid ? 1 : 0 }, try integers(step, "valid"))
                XCTAssertEqual(bank.stored, try number(step, "stored").intValue)
            }
        }
    }

    func testGeometryIsOpenCVs() throws {
        for image in try cases("geometry") {
            let (size, side) = (try integers(image, "size"), try number(image, "side").intValue)
            let source = try numbers(image, "image").map { Float($0) }
            let stretched = Geometry.stretched(
                source, width: size[0], height: size[1], side: side, channels: 1)
            assertClose(stretched, try numbers(image, "stretched"), 1e-4)
            let resized = Geometry.resized(
                source, width: size[0], height: size[1], toWidth: side, toHeight: side)
            assertClose(resized, try numbers(image, "resized"), 1e-4)
        }
    }

    func testManifestIsRead() throws {
        let manifest = try Manifest.decode(data("manifest"))
        XCTAssertEqual(manifest.rungs, [240, 480])
        XCTAssertEqual(manifest.memory.budget, 256)
        let selecting = try XCTUnwrap(manifest.graphs["memory_select"])
        XCTAssertEqual(manifest.target.coreml.computeUnits(of: selecting), "CPU_ONLY")
        XCTAssertEqual(manifest.graphs["mask_decoder@480"]?.function, "r480")
        XCTAssertEqual(manifest.graphs["mask_decoder@480"]?.resource, "mask_decoder")
        XCTAssertNil(try XCTUnwrap(manifest.graphs["memory_select"]).function)
    }
}
