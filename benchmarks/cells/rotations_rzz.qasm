// Three qubits, RY(arccos x), twice RX RZ RX on each qubit and a chain of RZZ.
include "stdgates.inc";
gate rzz(p0) q_0, q_1 {
  cx q_0, q_1;
  rz(p0) q_1;
  cx q_0, q_1;
}
@qrnn.weight
input float[64] w0;
@qrnn.weight
input float[64] w1;
@qrnn.weight
input float[64] w2;
@qrnn.weight
input float[64] w3;
@qrnn.weight
input float[64] w4;
@qrnn.weight
input float[64] w5;
@qrnn.weight
input float[64] w6;
@qrnn.weight
input float[64] w7;
@qrnn.weight
input float[64] w8;
@qrnn.weight
input float[64] w9;
@qrnn.weight
input float[64] w10;
@qrnn.weight
input float[64] w11;
@qrnn.weight
input float[64] w12;
@qrnn.weight
input float[64] w13;
@qrnn.weight
input float[64] w14;
@qrnn.weight
input float[64] w15;
@qrnn.weight
input float[64] w16;
@qrnn.weight
input float[64] w17;
@qrnn.weight
input float[64] w18;
@qrnn.weight
input float[64] w19;
@qrnn.weight
input float[64] w20;
@qrnn.weight
input float[64] w21;
@qrnn.feature arccos
input float[64] feature;
qubit[1] io;
qubit[2] hidden;
bit[1] readout;
ry(feature) io[0];
rx(w0) io[0];
rz(w1) io[0];
rx(w2) io[0];
rx(w3) hidden[0];
rz(w4) hidden[0];
rx(w5) hidden[0];
rx(w6) hidden[1];
rz(w7) hidden[1];
rx(w8) hidden[1];
rzz(w9) io[0], hidden[0];
rzz(w10) hidden[0], hidden[1];
rx(w11) io[0];
rz(w12) io[0];
rx(w13) io[0];
rx(w14) hidden[0];
rz(w15) hidden[0];
rx(w16) hidden[0];
rx(w17) hidden[1];
rz(w18) hidden[1];
rx(w19) hidden[1];
rzz(w20) io[0], hidden[0];
rzz(w21) hidden[0], hidden[1];
readout[0] = measure io[0];
reset io[0];
