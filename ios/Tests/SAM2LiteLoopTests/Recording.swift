// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
// Linux alone: reads what checks/swift/recording.py wrote of the Python loop.
import CoreML
import CoreVideo
import Foundation
import XCTest

/// Where a tensor is in `tensors.bin`.
struct Tensor: Decodable {
    let start: Int
    let shape: [Int]

    var count: Int { shape.reduce(1, *) }
}

struct Call: Decodable {
    let key: String
    let inputs: [String: Tensor]
    let outputs: [String: Tensor]
    let integers: [String]
}

struct Shown: Decodable {
    let numbers, logits, mask: Tensor
    let visible, lost: Bool
}

struct Step: Decodable {
    let `do`: String
    let id: Int
    let points: [[Double]]
    let labels: [Int]
    let box: [Double]?
    let calls: Int
    let shown: [String: Shown]
}

struct Clip: Decodable {
    let budgetMs: Double?
    let size: [Int]
    let frames: [Tensor]
    let steps: [Step]
    let calls: [Call]

    enum CodingKeys: String, CodingKey {
        case budgetMs = "budget_ms"
        case size, frames, steps, calls
    }
}

/// One clip of the recording; the folder is named by SAM2LITE_RECORDING.
struct Recording {
    let folder: URL
    let clip: Clip
    private let floats: [Float]

    init(_ name: String) throws {
        guard let path = ProcessInfo.processInfo.environment["SAM2LITE_RECORDING"] else {
            throw XCTSkip("SAM2LITE_RECORDING is not set: run make swift-test")
        }
        folder = URL(fileURLWithPath: path).appendingPathComponent(name)
        clip = try JSONDecoder().decode(
            Clip.self, from: Data(contentsOf: folder.appendingPathComponent("clip.json")))
        let bytes = try Data(contentsOf: folder.appendingPathComponent("tensors.bin"))
        floats = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }

    func values(_ tensor: Tensor) -> [Float] {
        Array(floats[tensor.start..<(tensor.start + tensor.count)])
    }

    /// A frame as a camera gives it: BGRA in padded rows.
    func pixels(_ index: Int) throws -> CVPixelBuffer {
        let (width, height) = (clip.size[0], clip.size[1])
        var created: CVPixelBuffer?
        CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, nil, &created)
        let buffer = try XCTUnwrap(created)
        let frame = values(clip.frames[index])
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        let base = try XCTUnwrap(CVPixelBufferGetBaseAddress(buffer))
        for y in 0..<height {
            let row = base + y * CVPixelBufferGetBytesPerRow(buffer)
            for x in 0..<width {
                for channel in 0..<3 {
                    let value = UInt8(frame[(y * width + x) * 3 + channel])
                    row.storeBytes(of: value, toByteOffset: 4 * x + channel, as: UInt8.self)
                }
                row.storeBytes(of: 255, toByteOffset: 4 * x + 3, as: UInt8.self)
            }
        }
        return buffer
    }
}

/// An image as the graph sees it: RGB, channel by channel, which Core ML makes of BGRA.
func planes(_ image: CVPixelBuffer) -> [Float] {
    CVPixelBufferLockBaseAddress(image, .readOnly)
    defer { CVPixelBufferUnlockBaseAddress(image, .readOnly) }
    let (width, height) = (CVPixelBufferGetWidth(image), CVPixelBufferGetHeight(image))
    guard let base = CVPixelBufferGetBaseAddress(image) else { return [] }
    var values: [Float] = []
    for channel in [2, 1, 0] {
        for y in 0..<height {
            let row = base + y * CVPixelBufferGetBytesPerRow(image)
            for x in 0..<width {
                values.append(Float(row.load(fromByteOffset: 4 * x + channel, as: UInt8.self)))
            }
        }
    }
    return values
}
