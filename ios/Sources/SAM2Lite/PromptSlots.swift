// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import Foundation

/// Clicks and a box of one object on one frame, in source pixels; integers are pixel centres.
public struct Prompt {
    public struct Click {
        public let x, y: Double
        public let isOnObject: Bool

        public init(x: Double, y: Double, isOnObject: Bool = true) {
            (self.x, self.y, self.isOnObject) = (x, y, isOnObject)
        }
    }

    public struct Box {
        public let x1, y1, x2, y2: Double

        public init(x1: Double, y1: Double, x2: Double, y2: Double) {
            (self.x1, self.y1, self.x2, self.y2) = (x1, y1, x2, y2)
        }
    }

    public let clicks: [Click]
    public let box: Box?

    public init(clicks: [Click] = [], box: Box? = nil) throws {
        guard !clicks.isEmpty || box != nil else {
            throw SAM2LiteError.prompt("the prompt is empty; give a click or a box")
        }
        guard clicks.count + (box == nil ? 0 : 2) <= Contract.promptSlots else {
            throw SAM2LiteError.prompt(
                "more than \(Contract.promptSlots) slots; give the rest as a correction")
        }
        // False for what is not a number, too.
        if let box, !(box.x1 < box.x2 && box.y1 < box.y2) {
            throw SAM2LiteError.prompt("the box has no area; give x1 < x2 and y1 < y2")
        }
        (self.clicks, self.box) = (clicks, box)
    }

    /// Whether something in it lies on the object; clicks beside it alone could mean anything.
    var namesObject: Bool { box != nil || clicks.contains { $0.isOnObject } }
}

/// The prompt inputs of `mask_decoder`, row by row: first the clicks, then the box.
public struct PromptSlots: Equatable {
    public private(set) var xyNorm = [Float](repeating: 0.5, count: 2 * Contract.promptSlots)
    public private(set) var labels = [Int32](repeating: 4, count: Contract.promptSlots)
    public private(set) var bias = [Float](
        repeating: Contract.maskedBias, count: Contract.promptSlots)

    /// The slots of a frame without a prompt.
    public init() {}

    /// The slots of a prompt on a frame of `width` x `height` px.
    public init(_ prompt: Prompt, width: Int, height: Int) throws {
        let (width, height) = (Double(width), Double(height))
        var points: [(x: Double, y: Double, label: Int32)] = []
        for click in prompt.clicks {
            guard (0...(width - 1)).contains(click.x), (0...(height - 1)).contains(click.y) else {
                throw SAM2LiteError.prompt("the click (\(click.x), \(click.y)) is off the frame")
            }
            points.append((click.x, click.y, click.isOnObject ? 1 : 0))
        }
        if let box = prompt.box {
            guard box.x1 >= 0, box.y1 >= 0, box.x2 <= width, box.y2 <= height else {
                throw SAM2LiteError.prompt("the box leaves the frame")
            }
            points += [(box.x1, box.y1, 2), (box.x2, box.y2, 3)]
        }
        for (slot, point) in points.enumerated() {
            // A corner may lie on the outer edge, half a pixel beyond the last centre.
            xyNorm[2 * slot] = Float(min((point.x + 0.5) / width, 1))
            xyNorm[2 * slot + 1] = Float(min((point.y + 0.5) / height, 1))
            labels[slot] = point.label
            bias[slot] = 0
        }
    }
}
