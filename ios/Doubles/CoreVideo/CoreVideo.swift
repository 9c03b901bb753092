// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
// A double of Core Video for Linux: what ios/Sources uses, and nothing of Apple's.

/// Literals of dictionaries are all that is made of it.
public struct CFDictionary: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Any)...) {}
}

public typealias CVReturn = Int32
public typealias OSType = UInt32

public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241
public let kCVPixelBufferIOSurfacePropertiesKey = "IOSurfaceProperties"

public struct CVPixelBufferLockFlags: OptionSet {
    public let rawValue: UInt64
    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)

    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Rows of BGRA, padded as the real ones may be.
public final class CVPixelBuffer {
    fileprivate let width, height, bytesPerRow: Int
    fileprivate let format: OSType
    fileprivate let bytes: UnsafeMutableRawPointer
    fileprivate var locks = 0

    fileprivate init(_ width: Int, _ height: Int, _ format: OSType) {
        (self.width, self.height, self.format) = (width, height, format)
        bytesPerRow = (width * 4 / 64 + 1) * 64
        bytes = .allocate(byteCount: bytesPerRow * height, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0xA5, count: bytesPerRow * height)
    }

    deinit { bytes.deallocate() }
}

@discardableResult
public func CVPixelBufferCreate(
    _ allocator: Never?, _ width: Int, _ height: Int, _ format: OSType,
    _ attributes: CFDictionary?, _ created: inout CVPixelBuffer?
) -> CVReturn {
    created = CVPixelBuffer(width, height, format)
    return 0
}

@discardableResult
public func CVPixelBufferLockBaseAddress(
    _ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags
) -> CVReturn {
    buffer.locks += 1
    return 0
}

@discardableResult
public func CVPixelBufferUnlockBaseAddress(
    _ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags
) -> CVReturn {
    buffer.locks -= 1
    return 0
}

/// Nil while the buffer is not locked; the real one promises nothing then.
public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? {
    buffer.locks > 0 ? buffer.bytes : nil
}

public func CVPixelBufferGetWidth(_ buffer: CVPixelBuffer) -> Int { buffer.width }
public func CVPixelBufferGetHeight(_ buffer: CVPixelBuffer) -> Int { buffer.height }
public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { buffer.bytesPerRow }
public func CVPixelBufferGetPixelFormatType(_ buffer: CVPixelBuffer) -> OSType { buffer.format }
