// qru
OPENQASM 3.0;
include "stdgates.inc";
@qrnn.weight
input float[64] theta_0;
@qrnn.weight
input float[64] theta_1;
@qrnn.weight
input float[64] theta_2;
@qrnn.weight
input float[64] theta_3;
@qrnn.weight
input float[64] theta_4;
@qrnn.weight
input float[64] theta_5;
@qrnn.weight
input float[64] theta_6;
@qrnn.weight
input float[64] theta_7;
@qrnn.weight
input float[64] theta_8;
@qrnn.weight
input float[64] theta_9;
@qrnn.weight
input float[64] theta_10;
@qrnn.weight
input float[64] theta_11;
@qrnn.weight
input float[64] theta_12;
@qrnn.weight
input float[64] theta_13;
@qrnn.weight
input float[64] theta_14;
@qrnn.weight
input float[64] theta_15;
@qrnn.weight
input float[64] theta_16;
@qrnn.weight
input float[64] theta_17;
@qrnn.weight
input float[64] theta_18;
@qrnn.weight
input float[64] theta_19;
@qrnn.weight
input float[64] theta_20;
@qrnn.weight
input float[64] theta_21;
@qrnn.weight
input float[64] theta_22;
@qrnn.weight
input float[64] theta_23;
@qrnn.weight
input float[64] theta_24;
@qrnn.weight
input float[64] theta_25;
@qrnn.weight
input float[64] theta_26;
@qrnn.weight
input float[64] theta_27;
@qrnn.weight
input float[64] theta_28;
@qrnn.weight
input float[64] theta_29;
@qrnn.weight
input float[64] theta_30;
@qrnn.weight
input float[64] theta_31;
@qrnn.weight
input float[64] theta_32;
@qrnn.weight
input float[64] theta_33;
@qrnn.weight
input float[64] theta_34;
@qrnn.weight
input float[64] theta_35;
@qrnn.weight
input float[64] theta_36;
@qrnn.weight
input float[64] theta_37;
@qrnn.weight
input float[64] theta_38;
@qrnn.weight
input float[64] theta_39;
@qrnn.weight
input float[64] theta_40;
@qrnn.weight
input float[64] theta_41;
@qrnn.weight
input float[64] theta_42;
@qrnn.weight
input float[64] theta_43;
@qrnn.weight
input float[64] theta_44;
@qrnn.weight
input float[64] theta_45;
@qrnn.weight
input float[64] theta_46;
@qrnn.weight
input float[64] theta_47;
@qrnn.weight
input float[64] theta_48;
@qrnn.weight
input float[64] theta_49;
@qrnn.weight
input float[64] theta_50;
@qrnn.weight
input float[64] theta_51;
@qrnn.weight
input float[64] theta_52;
@qrnn.weight
input float[64] theta_53;
@qrnn.weight
input float[64] theta_54;
@qrnn.weight
input float[64] theta_55;
@qrnn.weight
input float[64] theta_56;
@qrnn.weight
input float[64] theta_57;
@qrnn.weight
input float[64] theta_58;
@qrnn.weight
input float[64] theta_59;
@qrnn.weight
input float[64] theta_60;
@qrnn.weight
input float[64] theta_61;
@qrnn.weight
input float[64] theta_62;
@qrnn.weight
input float[64] theta_63;
@qrnn.weight
input float[64] theta_64;
@qrnn.weight
input float[64] theta_65;
@qrnn.weight
input float[64] theta_66;
@qrnn.weight
input float[64] theta_67;
@qrnn.weight
input float[64] theta_68;
@qrnn.weight
input float[64] theta_69;
@qrnn.weight
input float[64] theta_70;
@qrnn.weight
input float[64] theta_71;
@qrnn.feature
input float[64] x_0;
qubit[2] io;
qubit[2] hidden;
qubit[2] ancilla;
bit[2] readout;
if (readout[0]) {
  x io[0];
}
if (readout[1]) {
  x io[1];
}
ry(x_0) io[0];
ry(x_0) io[1];
rz(theta_0) io[0];
ry(theta_1) io[0];
rz(theta_2) io[0];
rz(theta_3) io[1];
ry(theta_4) io[1];
rz(theta_5) io[1];
rz(theta_6) hidden[0];
ry(theta_7) hidden[0];
rz(theta_8) hidden[0];
rz(theta_9) hidden[1];
ry(theta_10) hidden[1];
rz(theta_11) hidden[1];
rz(theta_12) ancilla[0];
ry(theta_13) ancilla[0];
rz(theta_14) ancilla[0];
rz(theta_15) ancilla[1];
ry(theta_16) ancilla[1];
rz(theta_17) ancilla[1];
cx io[0], io[1];
cx io[1], hidden[0];
cx hidden[0], hidden[1];
cx hidden[1], ancilla[0];
cx ancilla[0], ancilla[1];
cx ancilla[1], io[0];
rz(theta_18) io[0];
ry(theta_19) io[0];
rz(theta_20) io[0];
rz(theta_21) io[1];
ry(theta_22) io[1];
rz(theta_23) io[1];
rz(theta_24) hidden[0];
ry(theta_25) hidden[0];
rz(theta_26) hidden[0];
rz(theta_27) hidden[1];
ry(theta_28) hidden[1];
rz(theta_29) hidden[1];
rz(theta_30) ancilla[0];
ry(theta_31) ancilla[0];
rz(theta_32) ancilla[0];
rz(theta_33) ancilla[1];
ry(theta_34) ancilla[1];
rz(theta_35) ancilla[1];
cx io[0], io[1];
cx io[1], hidden[0];
cx hidden[0], hidden[1];
cx hidden[1], ancilla[0];
cx ancilla[0], ancilla[1];
cx ancilla[1], io[0];
rz(theta_36) io[0];
ry(theta_37) io[0];
rz(theta_38) io[0];
rz(theta_39) io[1];
ry(theta_40) io[1];
rz(theta_41) io[1];
rz(theta_42) hidden[0];
ry(theta_43) hidden[0];
rz(theta_44) hidden[0];
rz(theta_45) hidden[1];
ry(theta_46) hidden[1];
rz(theta_47) hidden[1];
rz(theta_48) ancilla[0];
ry(theta_49) ancilla[0];
rz(theta_50) ancilla[0];
rz(theta_51) ancilla[1];
ry(theta_52) ancilla[1];
rz(theta_53) ancilla[1];
cx io[0], io[1];
cx io[1], hidden[0];
cx hidden[0], hidden[1];
cx hidden[1], ancilla[0];
cx ancilla[0], ancilla[1];
cx ancilla[1], io[0];
rz(theta_54) io[0];
ry(theta_55) io[0];
rz(theta_56) io[0];
rz(theta_57) io[1];
ry(theta_58) io[1];
rz(theta_59) io[1];
rz(theta_60) hidden[0];
ry(theta_61) hidden[0];
rz(theta_62) hidden[0];
rz(theta_63) hidden[1];
ry(theta_64) hidden[1];
rz(theta_65) hidden[1];
rz(theta_66) ancilla[0];
ry(theta_67) ancilla[0];
rz(theta_68) ancilla[0];
rz(theta_69) ancilla[1];
ry(theta_70) ancilla[1];
rz(theta_71) ancilla[1];
cx io[0], io[1];
cx io[1], hidden[0];
cx hidden[0], hidden[1];
cx hidden[1], ancilla[0];
cx ancilla[0], ancilla[1];
cx ancilla[1], io[0];
cswap ancilla[0], io[0], hidden[0];
cswap ancilla[1], io[1], hidden[1];
readout[0] = measure io[0];
readout[1] = measure io[1];
reset io[0];
reset io[1];
reset ancilla[0];
reset ancilla[1];
