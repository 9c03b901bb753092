// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import CoreVideo
import Foundation

/// OpenCV's INTER_LINEAR and the stretch of sam2lite/runtimes/geometry.py.
public enum Geometry {
    /// Where one axis of the target looks in the source: pixel centres, edges repeated.
    private static func axis(from source: Int, to target: Int) -> [(low: Int, high: Int, share: Float)] {
        (0..<target).map { index in
            let position = (Float(index) + 0.5) * Float(source) / Float(target) - 0.5
            let floored = position.rounded(.down)
            let low = Int(floored)
            return (max(low, 0), min(low + 1, source - 1), low < 0 ? 0 : position - floored)
        }
    }

    /// Resize rows of `channels` interleaved values.
    public static func resized(
        _ image: [Float], width: Int, height: Int, toWidth: Int, toHeight: Int, channels: Int = 1
    ) -> [Float] {
        if width == toWidth, height == toHeight { return image }
        let columns = axis(from: width, to: toWidth)
        var result = [Float](repeating: 0, count: toWidth * toHeight * channels)
        var next = 0
        for row in axis(from: height, to: toHeight) {
            let (top, bottom) = (row.low * width * channels, row.high * width * channels)
            for column in columns {
                let (left, right) = (column.low * channels, column.high * channels)
                for channel in 0..<channels {
                    let a = image[top + left + channel], b = image[top + right + channel]
                    let c = image[bottom + left + channel], d = image[bottom + right + channel]
                    let upper = a + (b - a) * column.share, lower = c + (d - c) * column.share
                    result[next] = upper + (lower - upper) * row.share
                    next += 1
                }
            }
        }
        return result
    }

    /// Resize to side x side: halve an axis while it is at least twice too long, then INTER_LINEAR.
    static func stretched(
        _ image: [Float], width: Int, height: Int, side: Int, channels: Int
    ) -> [Float] {
        var (image, width, height) = (image, width, height)
        while width >= 2 * side || height >= 2 * side {
            let toWidth = width >= 2 * side ? width / 2 : width
            let toHeight = height >= 2 * side ? height / 2 : height
            image = resized(
                image, width: width, height: height, toWidth: toWidth, toHeight: toHeight,
                channels: channels)
            (width, height) = (toWidth, toHeight)
        }
        return resized(
            image, width: width, height: height, toWidth: side, toHeight: side, channels: channels)
    }

    /// Return a frame as the image encoder's input. Both are BGRA; Core ML makes RGB of it.
    public static func networkInput(_ frame: CVPixelBuffer, side: Int) throws -> CVPixelBuffer {
        guard CVPixelBufferGetPixelFormatType(frame) == kCVPixelFormatType_32BGRA else {
            throw SAM2LiteError.state("the frame must be a pixel buffer in 32BGRA")
        }
        var created: CVPixelBuffer?
        let attributes = [kCVPixelBufferIOSurfacePropertiesKey: [:] as CFDictionary] as CFDictionary
        CVPixelBufferCreate(nil, side, side, kCVPixelFormatType_32BGRA, attributes, &created)
        CVPixelBufferLockBaseAddress(frame, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(frame, .readOnly) }
        guard let made = created, let source = CVPixelBufferGetBaseAddress(frame) else {
            throw SAM2LiteError.state("no memory for a pixel buffer")
        }
        let (width, height) = (CVPixelBufferGetWidth(frame), CVPixelBufferGetHeight(frame))
        var pixels: [Float] = []
        pixels.reserveCapacity(width * height * 4)
        for row in 0..<height {  // rows may be padded
            let start = source + row * CVPixelBufferGetBytesPerRow(frame)
            let bytes = UnsafeRawBufferPointer(start: start, count: width * 4)
            pixels.append(contentsOf: bytes.lazy.map { Float($0) })
        }
        let small = stretched(pixels, width: width, height: height, side: side, channels: 4)
        CVPixelBufferLockBaseAddress(made, [])
        defer { CVPixelBufferUnlockBaseAddress(made, []) }
        guard let target = CVPixelBufferGetBaseAddress(made) else {
            throw SAM2LiteError.state("no memory for a pixel buffer")
        }
        for row in 0..<side {
            let start = target + row * CVPixelBufferGetBytesPerRow(made)
            let bytes = UnsafeMutableRawBufferPointer(start: start, count: side * 4)
            for index in 0..<(side * 4) { bytes[index] = UInt8(small[row * side * 4 + index].rounded()) }
        }
        return made
    }
}
